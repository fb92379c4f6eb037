import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { follow } from "@/api/event-stream";
import type { Points, Series as SeriesAnswer } from "@/api/generated";
import { useVisible } from "@/lib/use-visible";
import type { Series } from "@/lib/curves";
import { metricsQuery } from "./queries";

export interface Metrics {
  series: Series[];
  loading: boolean;
  error: unknown;
}

/** The metrics of a job: one answer for one that has ended, a stream while it goes on and somebody looks. */
export function useMetrics(jobId: string, active: boolean): Metrics {
  const [live, setLive] = useState<{ jobId: string; series: Series[] } | null>(null);
  const visible = useVisible();
  const query = useQuery({ ...metricsQuery(jobId), enabled: !active });

  useEffect(() => {
    if (!active || !visible) return;
    const stop = new AbortController();
    const byKey = new Map<string, Series>();
    void follow(`/api/v1/jobs/${encodeURIComponent(jobId)}/metrics/stream`, {
      signal: stop.signal,
      onEvent: ({ event, data }) => {
        if (event !== "metrics") return;
        addPoints(byKey, (JSON.parse(data) as Points).points);
        setLive({ jobId, series: [...byKey.values()] });
      },
    }).catch(() => undefined); // a job that is gone says so on its page
    return () => stop.abort();
  }, [jobId, active, visible]);

  const followed = live?.jobId === jobId ? live.series : null;
  const answered: SeriesAnswer[] | undefined = query.data;
  return {
    series: (active ? followed : (answered ?? followed)) ?? [],
    loading: !active && query.isPending && !followed,
    error: active ? null : query.error,
  };
}

/** Adds points to their series; a changed series is a new object, so that what is drawn is drawn anew. */
export function addPoints(byKey: Map<string, Series>, points: Points["points"]): void {
  const touched = new Set<string>();
  for (const { key, step, value, timestamp } of points) {
    let series = byKey.get(key);
    if (!series || !touched.has(key)) {
      series = { key, steps: [...(series?.steps ?? [])], values: [...(series?.values ?? [])], timestamps: [...(series?.timestamps ?? [])] };
      byKey.set(key, series);
      touched.add(key);
    }
    series.steps.push(step);
    series.values.push(value);
    series.timestamps.push(timestamp);
  }
}
