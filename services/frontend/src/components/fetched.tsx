import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Loading, ProblemBox } from "./page";

/** The content of a query: bones while it loads, the problem when there is nothing to show; what is known stays while it is renewed. */
export function Fetched<T>({ query, what, children }: { query: UseQueryResult<T>; what: string; children: (data: T) => ReactNode }) {
  if (query.data !== undefined) return children(query.data);
  if (query.isError)
    return <ProblemBox error={query.error} title={`The ${what} could not be loaded.`} onRetry={() => void query.refetch()} />;
  return <Loading what={what} />;
}
