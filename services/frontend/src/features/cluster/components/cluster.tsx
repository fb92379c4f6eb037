import { useQuery } from "@tanstack/react-query";
import { capacityQuery, jobsQuery } from "@/api/queries";
import { Facts } from "@/components/facts";
import { Fetched } from "@/components/fetched";
import { Icon } from "@/components/icon";
import { JobLines } from "@/components/job-lines";
import { Ago } from "@/components/moment";
import { Empty, Page, Panel } from "@/components/page";
import table from "@/components/table.module.css";
import type { WarmCluster } from "@/api/generated";
import { formatNumber } from "@/lib/format";
import { readinessQuery } from "../api/readiness";
import styles from "./cluster.module.css";

const PARTS: Record<string, string> = {
  database: "Database",
  object_store: "Object store",
  controller: "Controller",
  engine: "Ray",
  mlflow: "MLflow",
};
const LIMIT = 20;

/** How many wait for a job; what they hold counts as free. */
function warmClusters(all: WarmCluster[]): string {
  const ready = all.filter((one) => one.ready).length;
  return ready === all.length ? `${formatNumber(ready)} ready` : `${formatNumber(ready)} of ${formatNumber(all.length)} ready`;
}

/** What the machines have, who uses it, who waits, and how the platform itself is. */
export function Cluster() {
  const capacity = useQuery(capacityQuery);
  const running = useQuery(jobsQuery({ state: ["STARTING", "RUNNING"], limit: LIMIT }));
  const waiting = useQuery(jobsQuery({ state: ["QUEUED", "RETRYING"], sort: "created_at", limit: LIMIT }));
  const readiness = useQuery(readinessQuery);
  return (
    <Page title="Cluster">
      <Panel
        title="Capacity"
        aside={
          capacity.data && (
            <span className="faint small">
              seen <Ago moment={capacity.data.recorded_at} />
            </span>
          )
        }
      >
        <Fetched query={capacity} what="capacity">
          {(now) => (
            <Facts
              items={[
                ["CPUs free", `${formatNumber(now.cpus_free)} of ${formatNumber(now.cpus)}`],
                ["GPUs free", now.gpus ? `${formatNumber(now.gpus_free)} of ${formatNumber(now.gpus)}` : "no GPUs"],
                ["GiB of memory free", `${formatNumber(now.memory_gb_free)} of ${formatNumber(now.memory_gb)}`],
                ["Machines", formatNumber(Math.max(1, now.nodes.length))],
                ...(now.warm_clusters.length ? [["Warm clusters", warmClusters(now.warm_clusters)] as [string, string]] : []),
              ]}
            />
          )}
        </Fetched>
      </Panel>
      {capacity.data && capacity.data.nodes.length > 0 && (
        <Panel title="Machines" flush>
          <div className={table.scroll}>
            <table className={table.table}>
              <thead>
                <tr>
                  <th>Name</th>
                  <th className={table.number}>CPUs</th>
                  <th className={table.number}>GPUs</th>
                  <th className={table.number}>GiB memory</th>
                </tr>
              </thead>
              <tbody>
                {capacity.data.nodes.map((node, index) => (
                  <tr key={String(node.name ?? node.id ?? index)}>
                    <td className={table.code}>{String(node.name ?? node.id ?? `machine ${index + 1}`)}</td>
                    <td className={table.number}>{formatNumber(Number(node.cpus ?? 0))}</td>
                    <td className={table.number}>{formatNumber(Number(node.gpus ?? 0))}</td>
                    <td className={table.number}>{formatNumber(Number(node.memory_gb ?? 0))}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </Panel>
      )}
      <div className={styles.halves}>
        <Panel title="Using it" flush>
          <Fetched query={running} what="running jobs">
            {(page) => (page.items.length ? <JobLines jobs={page.items} /> : <Empty title="Nobody">Everything is free.</Empty>)}
          </Fetched>
        </Panel>
        <Panel title="Waiting, in order" flush>
          <Fetched query={waiting} what="queue">
            {(page) => (page.items.length ? <JobLines jobs={page.items} /> : <Empty title="Nobody">A job that fits starts at once.</Empty>)}
          </Fetched>
        </Panel>
      </div>
      <Panel title="Platform" flush>
        <Fetched query={readiness} what="state of the platform">
          {(now) => (
            <ul className={styles.parts}>
              {Object.entries(now.parts).map(([name, part]) => (
                <li key={name} data-ok={part.ok}>
                  <Icon name={part.ok ? "check" : "alert"} size={16} />
                  <span>{PARTS[name] ?? name}</span>
                  <span className={styles.detail}>{part.ok ? "works" : (part.detail ?? "does not answer")}</span>
                </li>
              ))}
            </ul>
          )}
        </Fetched>
      </Panel>
    </Page>
  );
}
