import { createContext, type ReactNode, useContext } from "react";
import { type Metrics, useMetrics } from "../api/use-metrics";

const Context = createContext<Metrics>({ series: [], loading: true, error: null });

/** Follows the job's metrics once for everything on its page that shows them. */
export function MetricsOfJob({ jobId, active, children }: { jobId: string; active: boolean; children: ReactNode }) {
  return <Context value={useMetrics(jobId, active)}>{children}</Context>;
}

export function useJobMetrics(): Metrics {
  return useContext(Context);
}
