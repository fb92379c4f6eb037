/** Queries that more than one feature reads. One key per question, so that features share what is known. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import {
  getCapacity,
  getJob,
  getTemplate,
  listDatasets,
  listJobs,
  listModels,
  listTeams,
  listTemplates,
  type JobView,
  type ListJobsData,
} from "./generated";
import { isActive } from "./states";
import { boundsOfPeriod } from "@/lib/period";
import type { JobsSearch } from "@/lib/search";

export type JobsFilter = NonNullable<ListJobsData["query"]>;

const LIVE_MS = 2000;
const CALM_MS = 10_000;
const JOBS_ON_A_PAGE = 50;

export const jobsQuery = (filter: JobsFilter) =>
  queryOptions({
    queryKey: ["jobs", filter],
    queryFn: async ({ signal }) => (await listJobs({ query: filter, signal, throwOnError: true })).data,
    placeholderData: keepPreviousData,
    refetchInterval: (query) => (query.state.data?.items.some(isActive) ? LIVE_MS : 2 * LIVE_MS),
  });

/** The page of the list that an address asks for; `now` in milliseconds. */
export const jobsPageQuery = ({ from, to, ...asked }: JobsSearch, now: number) =>
  jobsQuery({ ...asked, ...boundsOfPeriod(from, to, now), limit: JOBS_ON_A_PAGE } as JobsFilter);

export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: ["job", id],
    queryFn: async ({ signal }) => (await getJob({ path: { job_id: id }, signal, throwOnError: true })).data,
    refetchInterval: (query) => (query.state.data && !settled(query.state.data) ? 1000 : CALM_MS),
  });

/** Whether nothing about the job changes any more; its model may be recorded a moment after its end. */
function settled(job: JobView): boolean {
  return !isActive(job) && Date.now() - Date.parse(job.finished_at ?? job.created_at) > 30_000;
}

export const capacityQuery = queryOptions({
  queryKey: ["capacity"],
  queryFn: async ({ signal }) => (await getCapacity({ signal, throwOnError: true })).data,
  refetchInterval: 2 * LIVE_MS,
});

export const templatesQuery = queryOptions({
  queryKey: ["templates"],
  queryFn: async ({ signal }) => (await listTemplates({ signal, throwOnError: true })).data.items,
  staleTime: 5 * 60_000,
});

export const templateQuery = (name: string) =>
  queryOptions({
    queryKey: ["templates", name],
    queryFn: async ({ signal }) => (await getTemplate({ path: { name }, signal, throwOnError: true })).data,
    staleTime: 5 * 60_000,
  });

export const teamsQuery = queryOptions({
  queryKey: ["teams"],
  queryFn: async ({ signal }) => (await listTeams({ signal, throwOnError: true })).data.items,
  staleTime: 5 * 60_000,
});

export const datasetsQuery = queryOptions({
  queryKey: ["datasets"],
  queryFn: async ({ signal }) => (await listDatasets({ signal, throwOnError: true })).data.items,
  staleTime: CALM_MS,
});

export const modelsQuery = (limit: number) =>
  queryOptions({
    queryKey: ["models", limit],
    queryFn: async ({ signal }) => (await listModels({ query: { limit }, signal, throwOnError: true })).data.items,
    refetchInterval: 3 * CALM_MS,
  });
