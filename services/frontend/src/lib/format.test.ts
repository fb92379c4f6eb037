import { expect, test } from "vitest";
import { formatAgo, formatBytes, formatMetric, formatSpan, plural } from "./format";

test.each([
  [0, "0"],
  [0.0243139, "0.02431"],
  [3.1e-7, "3.10e-7"],
  [12340.06, "12,340.1"],
  [null, "–"],
  [Number.NaN, "–"],
])("a metric of %s reads %s", (value, text) => expect(formatMetric(value)).toBe(text));

test.each([
  [812, "812 B"],
  [1500, "1.5 kB"],
  [999_600, "1 MB"],
  [2_340_000_000, "2.3 GB"],
])("%s bytes read %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test.each([
  [0.42, "0.4 s"],
  [59.6, "1 min"],
  [725, "12 min 5 s"],
  [12_000, "3 h 20 min"],
  [187_200, "2 d 4 h"],
])("%s seconds read %s", (seconds, text) => expect(formatSpan(seconds)).toBe(text));

test("moments are told by how long ago they were", () => {
  const now = Date.parse("2026-11-25T12:00:00Z");
  expect(formatAgo("2026-11-25T11:59:58Z", now)).toBe("just now");
  expect(formatAgo("2026-11-25T11:57:00Z", now)).toBe("3 min ago");
  expect(formatAgo("2026-11-23T11:57:00Z", now)).toBe("2 d ago");
});

test("counts agree with their noun", () => {
  expect([plural(1, "job"), plural(2, "job"), plural(0, "job")]).toEqual(["1 job", "2 jobs", "0 jobs"]);
});
