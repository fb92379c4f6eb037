import { queryOptions } from "@tanstack/react-query";
import { fetchFromApi } from "@/api/client";
import type { Readiness } from "@/api/generated";
import { errorOf } from "@/api/problem";

/** How the parts of the platform are; "not ready" is an answer too, so the status does not matter. */
export const readinessQuery = queryOptions({
  queryKey: ["readiness"],
  queryFn: async ({ signal }) => {
    const response = await fetchFromApi("/readyz", { signal });
    const body: unknown = await response.json().catch(() => null);
    if (!body || typeof body !== "object" || !("parts" in body)) throw errorOf(response.status, body);
    return body as Readiness;
  },
  refetchInterval: 5000,
});
