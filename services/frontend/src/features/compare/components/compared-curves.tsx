import { Select } from "@mantine/core";
import { CurveChart } from "@/components/curve-chart";
import { useCurveView } from "@/components/curve-controls";
import { Panel } from "@/components/page";
import type { Compared } from "@/lib/compare";
import { pointsOf } from "@/lib/curves";
import styles from "./compared-curves.module.css";

interface ComparedCurvesProps {
  jobs: Compared[];
  keys: string[];
  metric: string;
  onMetric: (key: string) => void;
}

/** One metric of every job in one chart; time counts from each job's own first point. */
export function ComparedCurves({ jobs, keys, metric, onMetric }: ComparedCurvesProps) {
  const [{ by, log, smoothing }, controls] = useCurveView();
  const curves = jobs.flatMap((job, index) => {
    const series = job.series.find((one) => one.key === metric);
    return series ? [{ label: job.name, color: index, ...pointsOf(series, by, series.timestamps[0] ?? 0) }] : [];
  });
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
      aside={<div className={styles.controls}>{controls}</div>}
    >
      <CurveChart label={metric} curves={curves} by={by} log={log} smoothing={smoothing} height={340} />
    </Panel>
  );
}
