// @vitest-environment jsdom
import { expect, test, vi } from "vitest";
import { LogLines } from "./log-lines";

const all = (lines: LogLines) => Array.from({ length: lines.count }, (_, index) => lines.line(index));

test("pieces that end inside a line are joined", () => {
  const lines = new LogLines();
  lines.append("first\nsec");
  lines.append("ond\nthird");
  expect(all(lines)).toEqual(["first", "second", "third"]);
});

test("what came before is put in front", () => {
  const lines = new LogLines();
  lines.append("c\n");
  lines.prepend(["a", "b"]);
  expect(all(lines)).toEqual(["a", "b", "c"]);
});

test("a search goes on with lines that arrive, and starts anew after earlier ones were put in front", () => {
  const lines = new LogLines();
  lines.append("Error: a\nfine\n");
  expect(lines.search("error")).toEqual([0]);
  lines.append("an error again\n");
  expect(lines.search("error")).toEqual([0, 2]);
  lines.prepend(["no", "ERROR"]);
  expect(lines.search("error")).toEqual([1, 2, 4]);
  expect(lines.search("a.b")).toEqual([]);
});

test("a million lines are taken in and searched, with one notice for all that arrives in a frame", async () => {
  const lines = new LogLines();
  const told = vi.fn();
  lines.subscribe(told);
  for (let block = 0; block < 100; block += 1) {
    lines.append(Array.from({ length: 10_000 }, (_, index) => `step ${block * 10_000 + index} loss 0.1\n`).join(""));
  }
  await vi.waitFor(() => expect(told).toHaveBeenCalled());
  expect(told.mock.calls.length).toBeLessThan(10);
  expect(lines.count).toBe(1_000_000);
  expect(lines.search("step 999999 ")).toEqual([999_999]);
});
