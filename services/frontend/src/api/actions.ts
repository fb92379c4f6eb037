/** What can be done to a job, from whichever page. */
import { useIsMutating, useMutation, useQueryClient } from "@tanstack/react-query";
import { cancelJob, deleteJob, retryJob } from "./generated";

async function each(ids: string[], act: (id: string) => Promise<unknown>): Promise<void> {
  const results = await Promise.allSettled(ids.map(act));
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
}

export const cancelJobs = (ids: string[]) => each(ids, (id) => cancelJob({ path: { job_id: id }, throwOnError: true }));
export const retryJobs = (ids: string[]) => each(ids, (id) => retryJob({ path: { job_id: id }, throwOnError: true }));

/** A mutation over jobs after which every list and page of jobs is asked for again. */
export function useJobsAction(action: (ids: string[]) => Promise<void>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: action,
    onSettled: () => Promise.all([queries.invalidateQueries({ queryKey: ["jobs"] }), queries.invalidateQueries({ queryKey: ["job"] })]),
  });
}

const DELETION = ["delete job"];

/** Whether the job is being deleted; a page of it that asked on would be told that it does not exist. */
export function useIsDeleting(id: string): boolean {
  return useIsMutating({ mutationKey: DELETION, predicate: (mutation) => mutation.state.variables === id }) > 0;
}

/** Deletes one job; `leave` goes to another page before anything asks for the job again. */
export function useDeleteJob(leave: () => Promise<void>) {
  const queries = useQueryClient();
  return useMutation({
    mutationKey: DELETION,
    onMutate: (id: string) => queries.cancelQueries({ queryKey: ["job", id] }),
    mutationFn: (id: string) => deleteJob({ path: { job_id: id }, throwOnError: true }),
    onSuccess: async (_, id) => {
      await leave();
      queries.removeQueries({ queryKey: ["job", id] });
      await queries.invalidateQueries({ queryKey: ["jobs"] });
    },
  });
}
