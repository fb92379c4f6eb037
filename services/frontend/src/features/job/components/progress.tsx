import type { JobView } from "@/api/generated";
import { isActive } from "@/api/states";
import { useNow } from "@/components/moment";
import { formatMetric, formatNumber, formatSpan } from "@/lib/format";
import { progressOf } from "@/lib/progress";
import { useJobMetrics } from "./metrics-context";
import styles from "./progress.module.css";

/** How far the job is, how fast it goes and when it should be done, as far as its metrics tell. */
export function Progress({ job }: { job: JobView }) {
  const { series } = useJobMetrics();
  const active = isActive(job);
  const now = useNow();
  const progress = progressOf(job, series);
  if (job.state === "STARTING") return <p className={styles.plain}>It is starting; the stages are below.</p>;
  if (!progress) return active ? <p className={styles.plain}>It runs. Charts fill as soon as it logs a metric.</p> : null;
  const percent = progress.part === null ? null : Math.round(100 * progress.part);
  const left = progress.endsAt === null ? null : Math.max(0, (progress.endsAt - now) / 1000);
  return (
    <section className={styles.progress} aria-label="Progress">
      <dl className={styles.figures}>
        {progress.part !== null && (
          <div>
            <dt>Epoch</dt>
            <dd>
              {formatNumber(progress.epoch ?? 0)} <span>of {formatNumber(progress.epochs ?? 0)}</span>
            </dd>
          </div>
        )}
        <div>
          <dt>Step</dt>
          <dd>{formatNumber(progress.step)}</dd>
        </div>
        {progress.stepsPerSecond !== null && (
          <div>
            <dt>Speed</dt>
            <dd>
              {formatMetric(progress.stepsPerSecond)} <span>steps/s</span>
            </dd>
          </div>
        )}
        {progress.highlights.map(([key, value]) => (
          <div key={key}>
            <dt>{key}</dt>
            <dd>{formatMetric(value)}</dd>
          </div>
        ))}
        {active && left !== null && percent !== 100 && (
          <div>
            <dt>Time left</dt>
            <dd>about {formatSpan(Math.round(left))}</dd>
          </div>
        )}
      </dl>
      {active && percent !== null && (
        <div
          className={styles.track}
          role="progressbar"
          aria-label="Epochs done"
          aria-valuenow={percent}
          aria-valuemin={0}
          aria-valuemax={100}
        >
          <div style={{ width: `${percent}%` }} />
        </div>
      )}
    </section>
  );
}
