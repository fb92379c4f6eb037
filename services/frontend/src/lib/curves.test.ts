import { expect, test } from "vitest";
import { groupByMeasure, measureOf, onColumns, pointsOf, smooth } from "./curves";

test("smoothing starts at the first value and keeps gaps", () => {
  const smoothed = smooth([1, 3, null, 3], 0.5);
  expect(smoothed[0]).toBe(1);
  expect(smoothed[1]).toBeCloseTo(7 / 3);
  expect(smoothed[2]).toBeNull();
  expect(smooth([1, 5], 0)).toEqual([1, 5]);
});

test.each([
  ["train_loss", "loss"],
  ["validation/loss", "loss"],
  ["loss_val", "loss"],
  ["training", "training"],
  ["system/rank-3/cpu_percent", "system/cpu_percent"],
])("%s measures %s", (key, measure) => expect(measureOf(key)).toBe(measure));

test("training and validation share a chart, losses come first and the machine last", () => {
  const groups = groupByMeasure([
    "system/rank-0/cpu",
    "epoch",
    "train_loss",
    "validation_accuracy",
    "validation_loss",
    "system/rank-1/cpu",
  ]);
  expect([...groups]).toEqual([
    ["loss", ["train_loss", "validation_loss"]],
    ["accuracy", ["validation_accuracy"]],
    ["epoch", ["epoch"]],
    ["system/cpu", ["system/rank-0/cpu", "system/rank-1/cpu"]],
  ]);
});

test("a step logged again by a later attempt counts once, with its later value", () => {
  const series = { key: "loss", steps: [1, 2, 2, 3], values: [5, 4, 3, 2], timestamps: [1000, 2000, 9000, 10_000] };
  expect(pointsOf(series, "step", 0)).toEqual({ xs: [1, 2, 3], ys: [5, 3, 2] });
  expect(pointsOf(series, "time", 1000).xs).toEqual([0, 1, 8, 9]);
});

test("curves with points of their own share few places", () => {
  const curves = [
    { xs: [0, 1, 5, 9, 100], ys: [1, 2, 3, 4, 5] },
    { xs: [2, 51], ys: [6, 7] },
  ];
  const [first, second] = onColumns(curves, 11);
  expect(first).toEqual({ xs: [0, 10, 100], ys: [2, 4, 5] });
  expect(second).toEqual({ xs: [0, 50], ys: [6, 7] });
  expect(onColumns([{ xs: [3], ys: [1] }], 11)).toEqual([{ xs: [3], ys: [1] }]);
});
