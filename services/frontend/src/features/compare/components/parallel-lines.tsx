import { useNavigate } from "@tanstack/react-router";
import { memo, type MouseEvent, useState } from "react";
import type { Compared } from "@/lib/compare";
import type { Axis } from "@/lib/parallel";
import { NOWHERE, TOP, yOf } from "./parallel-geometry";
import styles from "./parallel.module.css";

interface ParallelLinesProps {
  jobs: Compared[];
  axes: Axis[];
  xs: number[];
  picked: ReadonlySet<string>;
}

/** One line for each job, which leads to it. Those who do not see them have the same links in the table of differences. */
export const ParallelLines = memo(function ParallelLines({ jobs, axes, xs, picked }: ParallelLinesProps) {
  const navigate = useNavigate();
  const [over, setOver] = useState<Compared | null>(null);
  const last = axes[axes.length - 1];
  const open = (event: MouseEvent, job: Compared) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return; // a new tab or window: the browser's business
    event.preventDefault();
    void navigate({ to: "/jobs/$jobId", params: { jobId: job.id } });
  };
  const ordered = [...jobs].sort((a, b) => Number(picked.has(a.id)) - Number(picked.has(b.id)));
  return (
    <g aria-hidden="true">
      {ordered.map((job) => {
        const points = axes.map((axis, index) => `${xs[index] ?? 0},${yOf(axis.place(job))}`);
        const path = points.length === 1 ? `M${points[0]}h24` : `M${points.join("L")}`;
        const part = Math.round(100 * (last?.place(job) ?? 0));
        return (
          <a
            key={job.id}
            href={`/jobs/${encodeURIComponent(job.id)}`}
            tabIndex={-1}
            className={styles.line}
            data-left-out={!picked.has(job.id) || undefined}
            data-over={over?.id === job.id || undefined}
            onClick={(event) => open(event, job)}
            onMouseEnter={() => setOver(job)}
            onMouseLeave={() => setOver(null)}
            style={{ stroke: `color-mix(in oklab, var(--curve-2) ${part}%, var(--curve-1))` }}
          >
            <path d={path} className={styles.target} />
            <path d={path} />
            <title>{job.name}</title>
          </a>
        );
      })}
      {axes.some((axis) => jobs.some((job) => axis.place(job) === null)) && (
        <text x={4} y={NOWHERE + 4} className={styles.tick}>
          none
        </text>
      )}
      {over && (
        <text x={4} y={TOP - 30} className={styles.over}>
          {over.name}
        </text>
      )}
    </g>
  );
});
