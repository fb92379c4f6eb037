import type { JobState } from "./generated";

/** Every state, in the order of a job's life. */
export const STATES: JobState[] = ["QUEUED", "STARTING", "RUNNING", "RETRYING", "SUCCEEDED", "FAILED", "CANCELLED"];

export const ACTIVE_STATES: JobState[] = ["QUEUED", "STARTING", "RUNNING", "RETRYING"];

/** What a state is called on a page. */
export const STATE_NAMES: Record<JobState, string> = {
  QUEUED: "Queued",
  STARTING: "Starting",
  RUNNING: "Running",
  RETRYING: "Retrying",
  SUCCEEDED: "Succeeded",
  FAILED: "Failed",
  CANCELLED: "Cancelled",
};

/** Whether the job has not ended. */
export function isActive(job: { state: JobState }): boolean {
  return ACTIVE_STATES.includes(job.state);
}
