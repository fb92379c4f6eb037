import { Link } from "@tanstack/react-router";
import { Panel } from "@/components/page";
import table from "@/components/table.module.css";
import { type Compared, differing, finalValue, sortedBy } from "@/lib/compare";
import { formatMetric, plural } from "@/lib/format";
import styles from "./compared-table.module.css";

interface ComparedTableProps {
  jobs: Compared[];
  /** Ids of the jobs that are listed. */
  picked: ReadonlySet<string>;
  metrics: string[];
  sort: string;
  onSort: (sort: string) => void;
}

const MOST_METRICS = 6;
const COLORS = 8;

/** The parameters in which the jobs differ and their last figures, sorted by any column. */
export function ComparedTable({ jobs, picked, metrics, sort, onSort }: ComparedTableProps) {
  const parameters = differing(jobs);
  const shown = metrics.filter((key) => key !== "epoch").slice(0, MOST_METRICS);
  const color = new Map(jobs.map((job, index) => [job.id, `var(--curve-${(index % COLORS) + 1})`]));
  const head = (column: string, label: string, number: boolean) => {
    const current = sort.replace(/^-/, "") === column;
    const descending = sort.startsWith("-");
    return (
      <th
        key={column}
        className={number ? table.number : undefined}
        aria-sort={current ? (descending ? "descending" : "ascending") : "none"}
      >
        <button type="button" className={table.sort} onClick={() => onSort(current && !descending ? `-${column}` : column)}>
          {label}
          <span aria-hidden="true">{current ? (descending ? " ↓" : " ↑") : ""}</span>
        </button>
      </th>
    );
  };
  return (
    <Panel
      flush
      title="Differences"
      aside={
        <span className="faint small">
          {picked.size < jobs.length && `${picked.size} of ${plural(jobs.length, "job")} picked. `}
          {parameters.length === 0 && jobs.length > 1 && "The parameters are all the same."}
        </span>
      }
    >
      <div className={table.scroll} tabIndex={0} role="region" aria-label="Differences">
        <table className={table.table}>
          <thead>
            <tr>
              {head("name", "Job", false)}
              {parameters.map((name) => head(`parameters.${name}`, name, true))}
              {shown.map((key) => head(key, key, true))}
            </tr>
          </thead>
          <tbody>
            {sortedBy(jobs, sort)
              .filter((job) => picked.has(job.id))
              .map((job) => (
                <tr key={job.id}>
                  <td className={styles.job}>
                    <span className={styles.dot} style={{ background: color.get(job.id) }} aria-hidden="true" />
                    <Link to="/jobs/$jobId" params={{ jobId: job.id }}>
                      {job.name}
                    </Link>
                  </td>
                  {parameters.map((name) => (
                    <td key={name} className={table.number}>
                      {shownValue(job.parameters[name])}
                    </td>
                  ))}
                  {shown.map((key) => (
                    <td key={key} className={table.number}>
                      {formatMetric(finalValue(job, key))}
                    </td>
                  ))}
                </tr>
              ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function shownValue(value: unknown): string {
  if (value === undefined || value === null) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}
