import { expect, test } from "vitest";
import { afterKey, moved, zoomed } from "./zoom";

const whole = [0, 100] as const;

test("zooming keeps the middle and stays inside", () => {
  expect(zoomed(whole, whole, 0.5)).toEqual([25, 75]);
  expect(zoomed([0, 10], whole, 2)).toEqual([0, 20]);
  expect(zoomed([90, 100], whole, 4)).toEqual([60, 100]);
  expect(zoomed([40, 60], whole, 100)).toEqual([0, 100]);
});

test("moving stops at the ends", () => {
  expect(moved([20, 40], whole, 0.5)).toEqual([30, 50]);
  expect(moved([20, 40], whole, -5)).toEqual([0, 20]);
  expect(moved([70, 90], whole, 5)).toEqual([80, 100]);
});

test("keys zoom, move and show everything; others do nothing", () => {
  expect(afterKey("+", whole, whole)).toEqual([25, 75]);
  expect(afterKey("ArrowRight", [0, 50], whole)).toEqual([10, 60]);
  expect(afterKey("Home", [40, 60], whole)).toEqual([0, 20]);
  expect(afterKey("End", [40, 60], whole)).toEqual([80, 100]);
  expect(afterKey("0", [40, 60], whole)).toEqual([0, 100]);
  expect(afterKey("x", whole, whole)).toBeNull();
  expect(afterKey("constructor", whole, whole)).toBeNull();
  expect(afterKey("+", [3, 3], [3, 3])).toBeNull();
});
