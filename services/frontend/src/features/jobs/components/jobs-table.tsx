import { Checkbox } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { memo, useCallback, type Dispatch, type SetStateAction } from "react";
import type { JobView } from "@/api/generated";
import { isActive } from "@/api/states";
import { Ago, Span } from "@/components/moment";
import { StateBadge } from "@/components/state-badge";
import table from "@/components/table.module.css";
import { resourcesInWords } from "@/lib/resources";
import styles from "./jobs-table.module.css";

interface JobsTableProps {
  jobs: JobView[];
  sort: string;
  onSort: (sort: string) => void;
  chosen: ReadonlySet<string>;
  onChoose: Dispatch<SetStateAction<ReadonlySet<string>>>;
  /** Whether these rows answer an earlier question while a new one is on its way. */
  stale: boolean;
}

export function JobsTable({ jobs, sort, onSort, chosen, onChoose, stale }: JobsTableProps) {
  const all = jobs.length > 0 && jobs.every((job) => chosen.has(job.id));
  const toggle = useCallback(
    (id: string) =>
      onChoose((before) => {
        const next = new Set(before);
        if (!next.delete(id)) next.add(id);
        return next;
      }),
    [onChoose],
  );
  const sortable = (key: string, label: string, { firstDescending = false, className = "" } = {}) => {
    const current = sort.replace("-", "") === key;
    const descending = sort.startsWith("-");
    const next = current ? (descending ? key : `-${key}`) : firstDescending ? `-${key}` : key;
    return (
      <th className={className} aria-sort={current ? (descending ? "descending" : "ascending") : "none"}>
        <button type="button" className={table.sort} onClick={() => onSort(next)}>
          {label}
          <span aria-hidden="true">{current ? (descending ? " ↓" : " ↑") : ""}</span>
        </button>
      </th>
    );
  };
  return (
    <div className={table.scroll} aria-busy={stale}>
      <table className={`${table.table} ${styles.jobs}`}>
        <thead>
          <tr>
            <th>
              <Checkbox
                size="xs"
                aria-label="Select all jobs of this page"
                checked={all}
                indeterminate={!all && chosen.size > 0}
                onChange={() => onChoose(all ? new Set() : new Set(jobs.map((job) => job.id)))}
              />
            </th>
            {sortable("state", "State")}
            {sortable("name", "Name")}
            <th className={styles.wide}>Template</th>
            <th className={styles.wide}>Resources</th>
            {sortable("created_at", "Submitted", { firstDescending: true, className: styles.middle })}
            <th className={styles.wide}>Ran for</th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <Row key={job.id} job={job} chosen={chosen.has(job.id)} onToggle={toggle} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface RowProps {
  job: JobView;
  chosen: boolean;
  onToggle: (id: string) => void;
}

/** One job; rendered again only when something of it changed. */
const Row = memo(function Row({ job, chosen, onToggle }: RowProps) {
  return (
    <tr>
      <td>
        <Checkbox size="xs" aria-label={`Select ${job.name}`} checked={chosen} onChange={() => onToggle(job.id)} />
      </td>
      <td>
        <StateBadge state={job.state} cancelling={job.cancel_requested && isActive(job)} />
      </td>
      <td className={styles.name}>
        <Link to="/jobs/$jobId" params={{ jobId: job.id }}>
          {job.name}
        </Link>
        {Object.entries(job.tags).map(([key, value]) => (
          <span key={key} className={styles.tag}>
            {key}:{value}
          </span>
        ))}
        {job.reason && <div className={styles.reason}>{job.reason}</div>}
        <div className={styles.narrow}>
          <Ago moment={job.created_at} />
        </div>
      </td>
      <td className={styles.wide}>{job.template}</td>
      <td className={styles.wide}>{resourcesInWords(job.resources)}</td>
      <td className={`${styles.middle} ${styles.when}`}>
        <Ago moment={job.created_at} />
      </td>
      <td className={`${styles.wide} ${styles.when}`}>{job.started_at ? <Span from={job.started_at} to={job.finished_at} /> : "–"}</td>
    </tr>
  );
});
