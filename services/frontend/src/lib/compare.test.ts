import { expect, test } from "vitest";
import { commonMetrics, differing, sortedBy } from "./compare";

const series = (key: string, ...values: number[]) => ({
  key,
  steps: values.map((_, index) => index),
  values,
  timestamps: values.map((_, index) => index),
});
const jobs = [
  { id: "a", name: "a", parameters: { lr: 0.1, width: 32 }, series: [series("validation_loss", 1, 0.5), series("accuracy", 0.9)] },
  { id: "b", name: "b", parameters: { lr: 0.01, width: 32 }, series: [series("validation_loss", 1, 0.2), series("system/rank-0/cpu", 1)] },
  { id: "c", name: "c", parameters: { lr: 0.01, width: 32, extra: "x" }, series: [] },
];

test("only parameters that differ are shown", () => expect(differing(jobs)).toEqual(["lr", "extra"]));

test("metrics that most jobs have come first, and the machine's are left out", () =>
  expect(commonMetrics(jobs)).toEqual(["validation_loss", "accuracy"]));

test("sorting by a metric or a parameter leaves jobs without a value last, in both directions", () => {
  const ids = (sort: string) =>
    sortedBy(jobs, sort)
      .map(({ id }) => id)
      .join("");
  expect([ids("validation_loss"), ids("-validation_loss"), ids("-parameters.lr"), ids("-name")]).toEqual(["bac", "abc", "abc", "cba"]);
});
