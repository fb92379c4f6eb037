import { createJob, type JobRequest, type JobView } from "@/api/generated";

let lastBody = "";
let key = "";

/**
 * Submits the job. The same body again, as by a second click or after an answer that got lost, is the same job: the key changes only
 * with the body, and after `forgetSubmission`.
 */
export async function submitJob(body: JobRequest): Promise<JobView> {
  const text = JSON.stringify(body);
  if (text !== lastBody || !key) {
    lastBody = text;
    key = crypto.randomUUID();
  }
  const answer = await createJob({ body, headers: { "Idempotency-Key": key }, throwOnError: true });
  return answer.data;
}

/** The next submission is a new job, even with the same body. */
export function forgetSubmission(): void {
  lastBody = key = "";
}
