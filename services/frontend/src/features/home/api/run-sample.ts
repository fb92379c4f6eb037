import { createJob, type JobView } from "@/api/generated";

/** Submits the sample: the handwritten digits, on two workers where the machine has two cores. */
export async function runSample(cpus: number): Promise<JobView> {
  const body = { template: "image-classification", name: "digits", parameters: { workers: Math.max(1, Math.min(2, Math.floor(cpus))) } };
  return (await createJob({ body, headers: { "Idempotency-Key": crypto.randomUUID() }, throwOnError: true })).data;
}
