import { SegmentedControl, Select, Switch } from "@mantine/core";
import { useState } from "react";
import { CurveChart } from "@/components/curve-chart";
import { Panel } from "@/components/page";
import { Smoothing } from "@/components/smoothing";
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
  const [by, setBy] = useState<"step" | "time">("step");
  const [log, setLog] = useState(false);
  const [smoothing, setSmoothing] = useState(0);
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
      aside={
        <div className={styles.controls}>
          <SegmentedControl
            size="xs"
            aria-label="Over"
            value={by}
            onChange={(value) => setBy(value === "time" ? "time" : "step")}
            data={[
              { value: "step", label: "By step" },
              { value: "time", label: "By time" },
            ]}
          />
          <Smoothing value={smoothing} onChange={setSmoothing} />
          <Switch size="xs" label="Log scale" checked={log} onChange={(event) => setLog(event.currentTarget.checked)} />
        </div>
      }
    >
      <CurveChart label={metric} curves={curves} by={by} log={log} smoothing={smoothing} height={340} />
    </Panel>
  );
}
