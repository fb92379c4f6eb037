/** The one cache of what the API answered. */
import { QueryClient } from "@tanstack/react-query";
import { ApiError, Unreachable } from "@/api/problem";

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: "always", // "offline" is that the server does not answer, which only asking tells
      retry: (failures, error) => !(error instanceof Unreachable) && !(error instanceof ApiError && error.status < 500) && failures < 2,
      staleTime: 1000,
    },
    mutations: { networkMode: "always" },
  },
});
