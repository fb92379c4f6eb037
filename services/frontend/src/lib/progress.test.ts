import { expect, test } from "vitest";
import { progressOf } from "./progress";

test("epochs, steps, speed and the end come from what the job logged", () => {
  const series = [
    { key: "epoch", steps: [10, 20], values: [1, 2], timestamps: [10_000, 15_000] },
    { key: "validation_loss", steps: [10, 20], values: [0.5, 0.4], timestamps: [10_000, 15_000] },
    { key: "system/rank-0/cpu", steps: [400], values: [1], timestamps: [16_000] },
  ];
  expect(progressOf({ parameters: { epochs: 5 } }, series)).toEqual({
    part: 0.4,
    epoch: 2,
    epochs: 5,
    step: 20,
    stepsPerSecond: 2,
    endsAt: 30_000,
    highlights: [["validation_loss", 0.4]],
  });
});

test("a script that says nothing of epochs has no percentage, and one that logs nothing no progress", () => {
  const loss = { key: "loss", steps: [0], values: [1], timestamps: [0] };
  expect(progressOf({ parameters: {} }, [loss])).toMatchObject({ part: null, endsAt: null, stepsPerSecond: null });
  expect(progressOf({ parameters: {} }, [])).toBeNull();
});
