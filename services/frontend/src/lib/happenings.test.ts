import { expect, test } from "vitest";
import { happenings, resumeInWords } from "./happenings";

let id = 0;
const event = (kind: string, name: string, detail: Record<string, unknown> | null = null, attempt = 1) => ({
  id: (id += 1),
  attempt,
  time: "2026-11-25T12:00:00Z",
  kind,
  name,
  detail,
});

test("a resume says from where, and what it cost", () => {
  const said = (detail: Record<string, unknown>) => resumeInWords(event("resume", "resumed from step 1200", detail));
  expect(said({ step: 1200, lost_steps: 30, source_job: null })).toBe(
    "Went on from the checkpoint of step 1,200; 30 steps had to be done again.",
  );
  expect(said({ step: 1200, lost_steps: 0, source_job: null })).toBe("Went on from the checkpoint of step 1,200; no step was lost.");
  expect(said({ step: 1200, lost_steps: null, source_job: "j1" })).toBe("Started from the checkpoint of step 1,200 of job j1.");
  expect(said({})).toBe("Resumed from step 1200.");
  expect(resumeInWords(event("stage", "finished"))).toBeNull();
});

test("checkpoints in a row are one entry; stages and heartbeats are none", () => {
  const events = [
    event("state", "RUNNING"),
    event("checkpoint", "step 10", { step: 10, bytes: 3_400_000, seconds: 0.8 }),
    event("heartbeat", "beat"),
    event("checkpoint", "step 20", { step: 20, bytes: 3_400_000, seconds: 0.7 }),
    event("notice", "checkpoint of step 20 is damaged: its digest differs", null, 2),
    event("checkpoint", "step 20", null, 2),
    event("failure", "worker died", { reason: "rank 1 was killed" }, 2),
  ];
  expect(happenings(events).map((one) => [one.tone, one.text])).toEqual([
    ["plain", "Runs."],
    ["plain", "Saved the checkpoint of step 20 (3.4 MB in 0.7 s), the last of 2."],
    ["notice", "Checkpoint of step 20 is damaged: its digest differs."],
    ["plain", "Saved checkpoint step 20."],
    ["failure", "Rank 1 was killed."],
  ]);
});
