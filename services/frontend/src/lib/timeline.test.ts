import { expect, test } from "vitest";
import { phasesOf } from "./timeline";

const at = (second: number) => new Date(second * 1000).toISOString();
const stage = (name: string, second: number, attempt = 1) => ({ attempt, time: at(second), kind: "stage", name });

test("the time until each stamp is a phase; up to the first step it is start-up", () => {
  const events = [
    stage("accepted", 0, 0),
    { ...stage("STARTING", 1), kind: "state" },
    stage("admitted", 2),
    stage("driver_started", 5),
    stage("first_step", 12),
    stage("last_step", 40),
    stage("finished", 42),
  ];
  expect(phasesOf(events, 1, true).map(({ label, start, end, startup }) => [label, ((end ?? 0) - start) / 1000, startup])).toEqual([
    ["Waiting for room", 2, true],
    ["Starting the driver", 3, true],
    ["Preparing the first step", 7, true],
    ["Training", 28, false],
    ["Saving and closing", 2, false],
  ]);
});

test("an attempt that goes on is in the phase after its last stamp", () => {
  const last = phasesOf([stage("accepted", 0, 0), stage("admitted", 2)], 1, false).at(-1);
  expect(last).toMatchObject({ label: "Starting the driver", start: 2000, end: null });
});

test("a later attempt begins with its own admission", () => {
  const events = [stage("accepted", 0, 0), stage("admitted", 2), stage("admitted", 60, 2), stage("driver_started", 63, 2)];
  expect(phasesOf(events, 2, true).map(({ label }) => label)).toEqual(["Starting the driver"]);
});
