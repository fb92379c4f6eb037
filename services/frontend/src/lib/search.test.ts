import { expect, test } from "vitest";
import { compareSearch, jobSearch, jobsInAddress, jobsOfAddress, jobsSearch, submitSearch } from "./search";

test("hundreds of jobs fit into the address of a comparison", () => {
  const ids = Array.from({ length: 200 }, (_, index) => `j0123456789abcdef${100 + index}`);
  expect(jobsOfAddress(jobsInAddress(ids))).toEqual(ids);
  expect(compareSearch({ jobs: ids }).jobs).toHaveLength(200 * 20 + 199);
  expect([jobsInAddress([]), jobsOfAddress(undefined)]).toEqual([undefined, []]);
});

test("addresses typed by hand lose what makes no sense and keep the rest", () => {
  expect(jobsSearch({ state: "RUNNING", tag: ["a:b", "bad"], sort: "color", q: 7, cursor: "" })).toEqual({
    state: ["RUNNING"],
    tag: ["a:b"],
    q: "7",
  });
  expect(jobsSearch({ from: "24h", to: "2026-13-01" })).toEqual({ from: "24h" });
  expect(jobSearch({ tab: "nothing", attempt: "2", rank: 1 })).toEqual({ attempt: 2, rank: "1" });
  expect(compareSearch({ jobs: "j1", metric: null, by: "time", log: "true", smoothing: 7 })).toEqual({
    jobs: "j1",
    by: "time",
    log: true,
  });
  expect(submitSearch({ from: "j1", step: "120" })).toEqual({ from: "j1", step: 120 });
  expect(submitSearch({ from: "j1", step: -1 })).toEqual({ from: "j1" });
});
