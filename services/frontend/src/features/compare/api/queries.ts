import { queryOptions } from "@tanstack/react-query";
import { getMetrics } from "@/api/generated";

/** Every series of a job, with fewer points the more jobs share a chart. */
export const comparedMetricsQuery = (id: string, points: number, active: boolean) =>
  queryOptions({
    queryKey: ["compare", id, points],
    queryFn: async ({ signal }) => (await getMetrics({ path: { job_id: id }, query: { points }, signal, throwOnError: true })).data.series,
    refetchInterval: active ? 3000 : false,
    staleTime: active ? 0 : 60_000,
  });
