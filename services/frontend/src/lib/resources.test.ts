import { expect, test } from "vitest";
import { resourcesInWords, shortage } from "./resources";

const request = { workers: 4, min_workers: null, cpus_per_worker: 2, gpus_per_worker: 0, memory_gb_per_worker: null };

test("requests read as words", () => {
  expect(resourcesInWords(request)).toBe("4 workers × 2 CPUs");
  expect(resourcesInWords({ ...request, workers: 1, cpus_per_worker: 1, gpus_per_worker: 0.5 })).toBe("1 worker × 1 CPU, 0.5 GPUs");
});

test("what is missing now is named; an elastic job needs only its fewest workers", () => {
  const free = { cpus: 5, gpus: 0, memory_gb: 8 };
  expect(shortage(request, free)).toBe("needs 8 CPUs, 5 are there");
  expect(shortage({ ...request, min_workers: 2 }, free)).toBeNull();
});
