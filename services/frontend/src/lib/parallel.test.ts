import { expect, test } from "vitest";
import { axisOf, brushAfterKey, brushesAsTexts, brushesOf, columnsOf, isPicked, textAt } from "./parallel";

const job = (id: string, parameters: Record<string, unknown>, loss: number | null) => ({
  id,
  name: id,
  parameters,
  series: loss === null ? [] : [{ key: "loss", steps: [1], values: [loss], timestamps: [1] }],
});
const jobs = [
  job("a", { lr: 0.001, net: "small", width: 8, same: 1 }, 0.5),
  job("b", { lr: 0.1, net: "large", width: 16, same: 1 }, 0.25),
  job("c", { lr: 1, net: "small", width: 24, same: 1 }, null),
];

test("axes are the parameters that differ and the metrics", () =>
  expect(columnsOf(jobs, ["loss", "epoch", "nothing"])).toEqual(["parameters.lr", "parameters.net", "parameters.width", "loss"]));

test("numbers stand on a scale, of powers where they are far apart; other values have places of their own", () => {
  const places = (column: string) => jobs.map((one) => axisOf(jobs, column)?.place(one));
  expect(places("parameters.width")).toEqual([0, 0.5, 1]);
  expect(places("parameters.lr")[1]).toBeCloseTo(2 / 3);
  expect(places("parameters.net")).toEqual([1, 0, 1]);
  expect(places("loss")).toEqual([1, 0, null]);
  expect(axisOf(jobs, "parameters.width")?.ticks.map((tick) => tick.text)).toEqual(["8", "16", "24"]);
});

test("a job is picked when every brush holds it; what has no value is held by none", () => {
  const axes = ["parameters.width", "loss"].map((column) => axisOf(jobs, column)).filter((axis) => axis !== null);
  const picked = (texts: string[]) => jobs.filter((one) => isPicked(one, axes, brushesOf(texts))).map(({ id }) => id);
  expect(picked([])).toEqual(["a", "b", "c"]);
  expect(picked(["parameters.width~0.4~1"])).toEqual(["b", "c"]);
  expect(picked(["parameters.width~0.4~1", "loss~0~1"])).toEqual(["b"]);
});

test("brushes go into an address and back, whatever the column is called", () => {
  const brushes = { "a~b": [0.25, 0.5], loss: [0, 0.125] } as const;
  expect(brushesOf(brushesAsTexts(brushes))).toEqual(brushes);
  expect(brushesOf(["loss", "loss~2~3", "~0~1", "loss~0.9~0.1"])).toEqual({});
});

test("keys move one end, never past the other, and take the brush away", () => {
  expect(brushAfterKey([0.2, 0.5], "low", "ArrowUp")).toEqual([0.22, 0.5]);
  expect(brushAfterKey([0.2, 0.25], "low", "PageUp")).toEqual([0.25, 0.25]);
  expect(brushAfterKey([0.2, 0.5], "high", "End")).toEqual([0.2, 1]);
  expect(brushAfterKey([0, 0.5], "high", "End")).toBeNull();
  expect(brushAfterKey([0.2, 0.5], "high", "Escape")).toBeNull();
  expect(brushAfterKey([0.2, 0.5], "high", "a")).toBeUndefined();
});

test("a place is read as the value nearest to it", () => {
  const axis = axisOf(jobs, "parameters.net");
  expect(axis && textAt(axis, 0.9)).toBe("small");
});
