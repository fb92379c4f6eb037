import { Select } from "@mantine/core";
import { useMemo } from "react";
import { CurveChart } from "@/components/curve-chart";
import { CurveControls, CurveHelp, type CurveView } from "@/components/curve-controls";
import { Panel } from "@/components/page";
import type { Compared } from "@/lib/compare";
import { pointsOf } from "@/lib/curves";
import styles from "./compared-curves.module.css";

interface ComparedCurvesProps {
  jobs: Compared[];
  /** Ids of the jobs whose curves are drawn. */
  picked: ReadonlySet<string>;
  keys: string[];
  metric: string;
  onMetric: (key: string) => void;
  view: CurveView;
  onView: (part: Partial<CurveView>) => void;
}

/** One metric of every picked job in one chart; time counts from each job's own first point. */
export function ComparedCurves({ jobs, picked, keys, metric, onMetric, view, onView }: ComparedCurvesProps) {
  const { by, log, smoothing } = view;
  const curves = useMemo(
    () =>
      jobs.flatMap((job, index) => {
        const series = picked.has(job.id) && job.series.find((one) => one.key === metric);
        return series ? [{ label: job.name, color: index, ...pointsOf(series, by, series.timestamps[0] ?? 0) }] : [];
      }),
    [jobs, picked, metric, by],
  );
  return (
    <Panel
      title={
        <Select
          size="xs"
          aria-label="Metric"
          data={keys}
          value={metric}
          onChange={(key) => key && onMetric(key)}
          allowDeselect={false}
          searchable={keys.length > 12}
        />
      }
      aside={
        <div className={styles.controls}>
          <CurveControls view={view} onChange={onView} />
        </div>
      }
    >
      <CurveChart label={metric} curves={curves} by={by} log={log} smoothing={smoothing} height={340} />
      <CurveHelp />
    </Panel>
  );
}
