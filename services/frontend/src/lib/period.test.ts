import { expect, test } from "vitest";
import { boundsOfPeriod, isDay, isSpan } from "./period";

const NOW = Date.parse("2026-11-25T12:34:56Z");

test("a span ends now, in whole minutes", () => {
  expect(boundsOfPeriod("24h", undefined, NOW)).toEqual({ created_after: "2026-11-24T12:34:00.000Z" });
  expect(boundsOfPeriod("24h", undefined, NOW + 3000)).toEqual(boundsOfPeriod("24h", undefined, NOW));
});

test("days are whole in the reader's time zone, the last one inside", () => {
  expect(boundsOfPeriod("2026-11-01", "2026-11-02", NOW)).toEqual({
    created_after: new Date(2026, 10, 1).toISOString(),
    created_before: new Date(2026, 10, 3).toISOString(),
  });
  expect(boundsOfPeriod(undefined, undefined, NOW)).toEqual({});
});

test("what is no day is told", () => {
  expect([isDay("2026-11-25"), isDay("2026-02-30"), isDay("24h"), isSpan("24h"), isSpan("toString")]).toEqual([
    true,
    false,
    false,
    true,
    false,
  ]);
});
