import { useQuery } from "@tanstack/react-query";
import type { CheckpointView, JobView } from "@/api/generated";
import { isActive } from "@/api/states";
import { DownloadButton } from "@/components/download-button";
import { Fetched } from "@/components/fetched";
import { LinkButton } from "@/components/link-button";
import { Ago } from "@/components/moment";
import { Empty, Panel } from "@/components/page";
import table from "@/components/table.module.css";
import { formatBytes, formatMetric, formatNumber } from "@/lib/format";
import { headlines } from "@/lib/headlines";
import { checkpointsQuery } from "../api/queries";
import styles from "./checkpoints.module.css";

const MOST_METRICS = 3;

/** What the job saved of its training, newest first: to download, and to start another job from. */
export function Checkpoints({ job }: { job: JobView }) {
  const query = useQuery(checkpointsQuery(job.id, isActive(job)));
  return (
    <Panel flush>
      <Fetched query={query} what="checkpoints">
        {(checkpoints) =>
          checkpoints.length ? (
            <CheckpointTable job={job} checkpoints={checkpoints} />
          ) : (
            <Empty title={isActive(job) ? "No checkpoint yet" : "No checkpoint was saved"}>
              The ready trainers save them by themselves; a script does with trainyard_train.report. A job that is tried again goes on from
              its last one.
            </Empty>
          )
        }
      </Fetched>
    </Panel>
  );
}

function CheckpointTable({ job, checkpoints }: { job: JobView; checkpoints: CheckpointView[] }) {
  const metrics = headlines(checkpoints, MOST_METRICS);
  return (
    <div className={table.scroll} tabIndex={0} role="region" aria-label="Checkpoints">
      <table className={table.table}>
        <thead>
          <tr>
            <th className={table.number}>Step</th>
            <th>
              <span className="unseen">Which it is</span>
            </th>
            <th>Saved</th>
            <th className={table.number}>Attempt</th>
            <th className={table.number}>Size</th>
            {metrics.map((key) => (
              <th key={key} className={table.number}>
                {key}
              </th>
            ))}
            <th>
              <span className="unseen">What can be done</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {checkpoints.map((checkpoint) => (
            <tr key={checkpoint.step}>
              <td className={table.number}>{formatNumber(checkpoint.step)}</td>
              <td>
                {checkpoint.best && <span className={styles.mark}>best</span>}
                {checkpoint.latest && <span className={styles.mark}>latest</span>}
              </td>
              <td className={styles.when}>
                <Ago moment={checkpoint.created_at} />
              </td>
              <td className={table.number}>{checkpoint.attempt}</td>
              <td className={table.number}>{formatBytes(checkpoint.size)}</td>
              {metrics.map((key) => (
                <td key={key} className={table.number}>
                  {formatMetric(checkpoint.metrics[key])}
                </td>
              ))}
              <td>
                <div className={styles.acts}>
                  <DownloadButton
                    path={`/jobs/${encodeURIComponent(job.id)}/checkpoints/${checkpoint.step}/download`}
                    name={`${job.name}-step-${checkpoint.step}.zip`}
                    label={`Download the checkpoint of step ${checkpoint.step}`}
                  />
                  <LinkButton
                    size="compact-sm"
                    variant="default"
                    to="/submit"
                    search={{ from: job.id, step: checkpoint.step }}
                    aria-label={`Resume from here, step ${checkpoint.step}`}
                  >
                    Resume from here
                  </LinkButton>
                </div>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
