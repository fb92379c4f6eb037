import { queryOptions } from "@tanstack/react-query";
import { isActive } from "@/api/states";
import { loadCompared } from "./batch";

const LIVE_MS = 3000;

/** A job with every series of its, with fewer points the more jobs share a chart. */
export const comparedQuery = (id: string, points: number) =>
  queryOptions({
    queryKey: ["compare", id, points],
    queryFn: () => loadCompared(id, points),
    refetchInterval: (query) => (query.state.data && isActive(query.state.data.job) ? LIVE_MS : false),
    staleTime: (query) => (query.state.data && isActive(query.state.data.job) ? 0 : 60_000),
  });
