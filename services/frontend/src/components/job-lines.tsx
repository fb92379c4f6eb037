import { Link } from "@tanstack/react-router";
import type { JobView } from "@/api/generated";
import { isActive } from "@/api/states";
import styles from "./job-lines.module.css";
import { Ago, Span } from "./moment";
import { StateBadge } from "./state-badge";

/** Jobs as a short list: state, name, how long, and why where there is a reason. */
export function JobLines({ jobs }: { jobs: JobView[] }) {
  return (
    <ul className={styles.list}>
      {jobs.map((job) => (
        <li key={job.id}>
          <Link to="/jobs/$jobId" params={{ jobId: job.id }} className={styles.line}>
            <span>
              <StateBadge state={job.state} cancelling={job.cancel_requested && isActive(job)} />
            </span>
            <span className={styles.name}>
              {job.name}
              {job.reason && <span className={styles.reason}>{job.reason}</span>}
            </span>
            <span className={styles.time}>
              {isActive(job) && job.started_at ? (
                <Span from={job.started_at} to={null} />
              ) : (
                <Ago moment={job.finished_at ?? job.created_at} />
              )}
            </span>
          </Link>
        </li>
      ))}
    </ul>
  );
}
