/** Where the time of an attempt went, from its stage events. */

export interface Stamp {
  attempt: number;
  time: string;
  kind: string;
  name: string;
}

export interface Phase {
  name: string;
  label: string;
  /** Milliseconds since 1970; `end` is null while the phase goes on. */
  start: number;
  end: number | null;
  /** Whether it comes before the first optimizer step. */
  startup: boolean;
}

/** What goes on until each stamp, in the order of the stamps. */
const UNTIL: [stamp: string, label: string][] = [
  ["admitted", "Waiting for room"],
  ["driver_started", "Starting the driver"],
  ["code_staged", "Fetching code and data"],
  ["workers_ready", "Starting the workers"],
  ["train_function_entered", "Loading the program"],
  ["process_group_formed", "Connecting the workers"],
  ["first_step", "Preparing the first step"],
  ["last_step", "Training"],
  ["finished", "Saving and closing"],
];

/**
 * The phases of one attempt. `now` (milliseconds since 1970) ends none: the last phase of an attempt that goes on has no end.
 * A stamp that never came leaves its time to the next one that did.
 */
export function phasesOf(events: readonly Stamp[], attempt: number, over: boolean): Phase[] {
  const at = new Map<string, number>();
  for (const event of events) {
    const belongs = event.attempt === attempt || (event.name === "accepted" && attempt <= 1);
    if (event.kind !== "stage" || !belongs) continue;
    const time = Date.parse(event.time);
    if (event.name === "last_step") at.set(event.name, Math.max(time, at.get(event.name) ?? 0));
    else at.set(event.name, Math.min(time, at.get(event.name) ?? Infinity));
  }
  let start = at.get("accepted") ?? at.get("admitted");
  if (start === undefined) return [];
  const phases: Phase[] = [];
  let startup = true;
  let index = 0;
  for (const [position, [name, label]] of UNTIL.entries()) {
    const end = at.get(name);
    if (end === undefined) continue;
    if (end >= start && !(name === "admitted" && !at.has("accepted"))) {
      const ended = name === "finished" && startup;
      phases.push({ name, label: ended ? "Until it ended" : label, start, end, startup });
      start = end;
    }
    if (name === "first_step") startup = false;
    index = position + 1;
  }
  const next = UNTIL[index];
  if (!over && next && !at.has("finished")) {
    const [name, label] = next;
    phases.push({ name, label, start, end: null, startup });
  }
  return phases;
}
