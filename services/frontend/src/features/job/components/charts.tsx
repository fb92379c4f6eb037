import { useState } from "react";
import type { JobView } from "@/api/generated";
import { isActive } from "@/api/states";
import { CurveChart } from "@/components/curve-chart";
import { CurveControls, CurveHelp, FIRST_VIEW } from "@/components/curve-controls";
import { Facts } from "@/components/facts";
import { Empty, Loading, Panel, ProblemBox } from "@/components/page";
import { groupByMeasure, pointsOf, type Series } from "@/lib/curves";
import { formatMetric } from "@/lib/format";
import styles from "./charts.module.css";
import { useJobMetrics } from "./metrics-context";

/** Every metric as curves: what measures the same on training and validation data shares a chart. */
export function Charts({ job }: { job: JobView }) {
  const { series, loading, error } = useJobMetrics();
  const [view, setView] = useState(FIRST_VIEW);
  const { by, log, smoothing } = view;
  if (series.length === 0) {
    if (error) return <ProblemBox error={error} title="The metrics could not be loaded." />;
    if (loading) return <Loading what="metrics" />;
    return (
      <Panel>
        <Empty title={isActive(job) ? "No metrics yet" : "No metrics were logged"}>
          {isActive(job)
            ? "They appear here as the program logs them."
            : "A program logs them with mlflow.log_metric or trainyard_train.report."}
        </Empty>
      </Panel>
    );
  }
  // A figure that was logged once, such as that of the test set, is no curve.
  const once = isActive(job) ? [] : series.filter((one) => one.values.length === 1 && !one.key.startsWith("system/"));
  const byKey = new Map(series.filter((one) => !once.includes(one)).map((one) => [one.key, one]));
  const groups = [...groupByMeasure([...byKey.keys()])];
  const start = job.started_at ? Date.parse(job.started_at) : Math.min(...series.map((one) => one.timestamps[0] ?? Infinity));
  const machine = groups.filter(([measure]) => measure.startsWith("system/"));
  const drawn = groups.filter(([measure]) => !measure.startsWith("system/"));
  const chart = ([measure, keys]: [string, string[]]) => (
    <Panel key={measure} title={measure.replace("system/", "").replaceAll("_", " ")}>
      <CurveChart
        label={measure}
        by={by}
        log={log}
        smoothing={smoothing}
        curves={keys.map((key, index) => ({
          label: key.replace(/^system\/(rank-\d+)\/.*/, "$1"),
          color: index,
          ...pointsOf(byKey.get(key) as Series, by, start),
        }))}
      />
    </Panel>
  );
  return (
    <div className={styles.charts}>
      <div className={styles.controls} role="group" aria-label="How curves are drawn">
        <CurveControls view={view} onChange={(part) => setView((before) => ({ ...before, ...part }))} />
        <div className={styles.hint}>
          <CurveHelp />
        </div>
      </div>
      {once.length > 0 && (
        <Panel title="Final figures">
          <Facts items={once.map((one) => [one.key, formatMetric(one.values[0])])} />
        </Panel>
      )}
      <div className={styles.grid}>{drawn.map(chart)}</div>
      {machine.length > 0 && (
        <>
          <h2>Machine, per rank</h2>
          <div className={styles.grid}>{machine.map(chart)}</div>
        </>
      )}
    </div>
  );
}
