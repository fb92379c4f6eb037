import { useQuery } from "@tanstack/react-query";
import { capacityQuery, jobsQuery } from "@/api/queries";
import { formatNumber, plural } from "@/lib/format";
import { impossible, type Request, shortage, type Supply } from "@/lib/resources";
import styles from "./resource-verdict.module.css";

const UNITS: [keyof Supply, "cpus_free" | "gpus_free" | "memory_gb_free", string][] = [
  ["cpus", "cpus_free", "CPUs"],
  ["gpus", "gpus_free", "GPUs"],
  ["memory_gb", "memory_gb_free", "GiB memory"],
];

/** What is free now, and whether this job starts now, waits, or can never start. */
export function ResourceVerdict({ parameters }: { parameters: Record<string, unknown> }) {
  const capacity = useQuery(capacityQuery);
  const queue = useQuery(jobsQuery({ state: ["QUEUED", "RETRYING"], limit: 100 }));
  const now = capacity.data;
  if (!now) return <p className={styles.unknown}>What is free is not known yet.</p>;
  const free: Supply = { cpus: now.cpus_free, gpus: now.gpus_free, memory_gb: now.memory_gb_free };
  const nodes = now.nodes.length ? (now.nodes as unknown as Supply[]) : [now];
  const request = parameters as Request;
  const never = impossible(request, nodes);
  const missing = shortage(request, free);
  const waiting = queue.data?.items.length ?? 0;
  const ahead = queue.data?.next_cursor ? `more than ${waiting} jobs` : plural(waiting, "job");
  const [tone, text] = never
    ? ["never", `Can never start: ${never}.`]
    : waiting > 0
      ? ["waits", `Waits behind ${ahead}.`]
      : missing
        ? ["waits", `Waits for room: it ${missing.replace("there", "free now")}.`]
        : ["now", "Starts now."];
  return (
    <div className={styles.verdict}>
      <dl className={styles.free}>
        {UNITS.filter(([name]) => now[name] > 0).map(([name, field, unit]) => (
          <div key={name}>
            <dt>{unit} free</dt>
            <dd>
              {formatNumber(now[field])} <span>of {formatNumber(now[name])}</span>
            </dd>
          </div>
        ))}
      </dl>
      <p className={styles.text} data-tone={tone} role="status">
        {text}
      </p>
    </div>
  );
}
