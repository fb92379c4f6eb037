import { expect, test } from "vitest";
import { parseAnsi, plainText } from "./ansi";

const ESC = "\u001b";

test("colours and looks become runs, and end where the line resets them", () => {
  expect(parseAnsi(`a ${ESC}[1;31mred${ESC}[0m b`)).toEqual([{ text: "a " }, { text: "red", bold: true, color: 1 }, { text: " b" }]);
  expect(parseAnsi(`${ESC}[92mok`)).toEqual([{ text: "ok", color: 10 }]);
});

test("exact colours come as such", () => {
  expect(parseAnsi(`${ESC}[38;2;255;0;16mx`)).toEqual([{ text: "x", color: "#ff0010" }]);
  expect(parseAnsi(`${ESC}[38;5;196mx`)).toEqual([{ text: "x", color: "#ff0000" }]);
  expect(parseAnsi(`${ESC}[48;5;20;1mx`)).toEqual([{ text: "x", bold: true }]);
});

test("what only moves a cursor or names a window is dropped", () => {
  expect(plainText(`${ESC}[2K${ESC}]0;title\u0007done\u0008`)).toBe("done");
});

test("a progress bar shows what was written last", () => {
  expect(plainText("10%\r50%\r100%\r")).toBe("100%");
  expect(parseAnsi("10%\r100%")).toEqual([{ text: "100%" }]);
});

test("markup stays text", () => {
  expect(parseAnsi("<script>alert(1)</script>")).toEqual([{ text: "<script>alert(1)</script>" }]);
});
