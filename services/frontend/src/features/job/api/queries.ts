import { queryOptions } from "@tanstack/react-query";
import { getCode, getDataset, getMetrics, listAttempts, listEvents, listLogSources } from "@/api/generated";

const LIVE_MS = 1000;

export const eventsQuery = (id: string, active: boolean) =>
  queryOptions({
    queryKey: ["job", id, "events"],
    queryFn: async ({ signal }) => (await listEvents({ path: { job_id: id }, signal, throwOnError: true })).data.items,
    refetchInterval: active ? LIVE_MS : false,
  });

export const attemptsQuery = (id: string, active: boolean) =>
  queryOptions({
    queryKey: ["job", id, "attempts"],
    queryFn: async ({ signal }) => (await listAttempts({ path: { job_id: id }, signal, throwOnError: true })).data.items,
    refetchInterval: active ? 2 * LIVE_MS : false,
  });

export const logSourcesQuery = (id: string, active: boolean) =>
  queryOptions({
    queryKey: ["job", id, "log-sources"],
    queryFn: async ({ signal }) => (await listLogSources({ path: { job_id: id }, signal, throwOnError: true })).data.items,
    refetchInterval: active ? 3 * LIVE_MS : false,
  });

export const metricsQuery = (id: string) =>
  queryOptions({
    queryKey: ["job", id, "metrics"],
    queryFn: async ({ signal }) =>
      (await getMetrics({ path: { job_id: id }, query: { points: 2000 }, signal, throwOnError: true })).data.series,
  });

/** What is known of the uploads that a job uses. */
export const uploadQuery = (kind: "code" | "data", id: string) =>
  queryOptions({
    queryKey: [kind, id],
    queryFn: async ({ signal }) => {
      const read = kind === "code" ? getCode : getDataset;
      return (await read({ path: { upload_id: id }, signal, throwOnError: true })).data;
    },
    staleTime: Infinity,
  });
