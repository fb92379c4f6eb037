/** What differs between jobs, and which is best. */
import { lastValue, type Series } from "./curves";

export interface Compared {
  id: string;
  name: string;
  parameters: Record<string, unknown>;
  series: readonly Series[];
}

/** The parameters in which the jobs differ, in the order of the first job that has them. */
export function differing(jobs: readonly Compared[]): string[] {
  const names = [...new Set(jobs.flatMap((job) => Object.keys(job.parameters)))];
  return names.filter((name) => new Set(jobs.map((job) => JSON.stringify(job.parameters[name] ?? null))).size > 1);
}

/** The metrics that at least one job has, those that most jobs have first; those of the machine are left out. */
export function commonMetrics(jobs: readonly Compared[]): string[] {
  const counts = new Map<string, number>();
  for (const job of jobs) for (const { key } of job.series) if (!key.startsWith("system/")) counts.set(key, (counts.get(key) ?? 0) + 1);
  const weight = (key: string) => (/^(validation|val)_loss$/.test(key) ? 0 : /loss/.test(key) ? 1 : /acc|r2|f1|auc/.test(key) ? 2 : 3);
  return [...counts].sort(([a, one], [b, other]) => other - one || weight(a) - weight(b) || a.localeCompare(b)).map(([key]) => key);
}

export function finalValue(job: Compared, key: string): number | null {
  return lastValue(job.series.find((series) => series.key === key));
}

/** What a job has in a column: a parameter as "parameters.x", the last value of a metric otherwise. */
export function valueIn(job: Compared, column: string): unknown {
  return column.startsWith("parameters.") ? job.parameters[column.slice("parameters.".length)] : finalValue(job, column);
}

/** The jobs by a column: "name", a parameter as "parameters.x", or a metric; with "-" in front descending. What has no value is last. */
export function sortedBy<T extends Compared>(jobs: readonly T[], sort: string): T[] {
  const descending = sort.startsWith("-");
  const column = sort.replace(/^-/, "");
  const valueOf = (job: T): unknown => (column === "name" ? job.name : valueIn(job, column));
  return [...jobs].sort((a, b) => {
    const [left, right] = [valueOf(a), valueOf(b)];
    if (left === right) return 0;
    if (left === null || left === undefined) return 1;
    if (right === null || right === undefined) return -1;
    const order =
      typeof left === "number" && typeof right === "number"
        ? left - right
        : String(left).localeCompare(String(right), "en", { numeric: true });
    return descending ? -order : order;
  });
}
