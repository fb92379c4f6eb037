import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { previewJob, type JobRequest } from "@/api/generated";

const RENEW_MS = 5000;

/** What would become of this job if it were submitted now. Nothing is created. */
export const previewQuery = (body: JobRequest) =>
  queryOptions({
    queryKey: ["preview", body],
    queryFn: async ({ signal }) => (await previewJob({ body, signal, throwOnError: true })).data,
    placeholderData: keepPreviousData,
    refetchInterval: RENEW_MS,
    gcTime: 30_000,
  });
