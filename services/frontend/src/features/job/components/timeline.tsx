import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { JobView } from "@/api/generated";
import { isActive } from "@/api/states";
import { useNow } from "@/components/moment";
import { formatExact, formatSpan } from "@/lib/format";
import { type Phase, phasesOf } from "@/lib/timeline";
import { eventsQuery } from "../api/queries";
import styles from "./timeline.module.css";

/** Where the time from submission to the first step went, and after it. */
export function Timeline({ job }: { job: JobView }) {
  const active = isActive(job);
  const events = useQuery(eventsQuery(job.id, active));
  const now = useNow();
  const [opened, setOpened] = useState<boolean | null>(null);
  const phases = phasesOf(events.data ?? [], Math.max(1, job.attempt), !active);
  const startup = phases.filter((phase) => phase.startup);
  const first = startup[0];
  if (!first) return null;
  const lastEnd = startup[startup.length - 1]?.end ?? null;
  const running = lastEnd === null;
  const total = ((lastEnd ?? now) - first.start) / 1000;
  const started = phases.some((phase) => phase.name === "first_step" && phase.end !== null);
  const shown = opened ?? (active && !started);
  return (
    <section className={styles.timeline}>
      <button type="button" className={styles.head} aria-expanded={shown} onClick={() => setOpened(!shown)}>
        <span>{started ? "Submission to first step" : running ? "Starting" : "Before it ended"}</span>
        <strong>{formatSpan(total)}</strong>
        <Bar phases={startup} now={now} />
        <span className={styles.toggle}>{shown ? "Hide stages" : "Show stages"}</span>
      </button>
      {shown && (
        <ol className={styles.phases}>
          {phases.map((phase) => (
            <li key={phase.name} data-open={phase.end === null || undefined} data-startup={phase.startup || undefined}>
              <span>{phase.label}</span>
              <time
                title={`${formatExact(new Date(phase.start).toISOString())} – ${phase.end === null ? "now" : formatExact(new Date(phase.end).toISOString())}`}
              >
                {formatSpan(Math.max(0, ((phase.end ?? now) - phase.start) / 1000))}
              </time>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function Bar({ phases, now }: { phases: Phase[]; now: number }) {
  const spans = phases.map((phase) => Math.max(1, (phase.end ?? now) - phase.start));
  return (
    <span className={styles.bar} aria-hidden="true">
      {phases.map((phase, index) => (
        <span
          key={phase.name}
          style={{ flexGrow: spans[index] }}
          data-open={phase.end === null || undefined}
          title={`${phase.label}: ${formatSpan((spans[index] ?? 0) / 1000)}`}
        />
      ))}
    </span>
  );
}
