import { expect, test } from "vitest";
import { compareSearch, jobSearch, jobsSearch } from "./search";

test("addresses typed by hand lose what makes no sense and keep the rest", () => {
  expect(jobsSearch({ state: "RUNNING", tag: ["a:b", "bad"], sort: "color", q: 7, cursor: "" })).toEqual({
    state: ["RUNNING"],
    tag: ["a:b"],
    q: "7",
  });
  expect(jobSearch({ tab: "nothing", attempt: "2", rank: 1 })).toEqual({ attempt: 2, rank: "1" });
  expect(compareSearch({ jobs: "j1", metric: null })).toEqual({ jobs: ["j1"] });
});
