import { queryOptions } from "@tanstack/react-query";
import {
  getCode,
  getDataset,
  getMetrics,
  listArtifacts,
  listAttempts,
  listCheckpoints,
  listEvents,
  listLogSources,
  listStacks,
} from "@/api/generated";

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

export const checkpointsQuery = (id: string, active: boolean) =>
  queryOptions({
    queryKey: ["job", id, "checkpoints"],
    queryFn: async ({ signal }) => (await listCheckpoints({ path: { job_id: id }, signal, throwOnError: true })).data.items,
    refetchInterval: active ? 3 * LIVE_MS : false,
  });

export const artifactsQuery = (id: string, path: string, active: boolean) =>
  queryOptions({
    queryKey: ["job", id, "artifacts", path],
    queryFn: async ({ signal }) => (await listArtifacts({ path: { job_id: id }, query: { path }, signal, throwOnError: true })).data.items,
    refetchInterval: active ? 5 * LIVE_MS : false,
  });

/** What ranks of an attempt that hung were doing. */
export const stacksQuery = (id: string, attempt: number) =>
  queryOptions({
    queryKey: ["job", id, "stacks", attempt],
    queryFn: async ({ signal }) => (await listStacks({ path: { job_id: id }, query: { attempt }, signal, throwOnError: true })).data.items,
    staleTime: 60_000,
  });
