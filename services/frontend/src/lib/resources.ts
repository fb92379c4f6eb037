/** Resource requests in words, and whether they fit. */
import { formatNumber, plural } from "./format";

export interface Request {
  workers?: number;
  min_workers?: number | null;
  cpus_per_worker?: number;
  gpus_per_worker?: number;
  memory_gb_per_worker?: number | null;
}

export interface Supply {
  cpus: number;
  gpus: number;
  memory_gb: number;
}

const UNITS = [
  ["cpus", "cpus_per_worker", "CPU"],
  ["gpus", "gpus_per_worker", "GPU"],
  ["memory_gb", "memory_gb_per_worker", "GiB"],
] as const;

/** Requests are fractions of cores; so much rounding is forgiven. */
const EPSILON = 1e-6;

/** "2 workers × 1 CPU, 0.5 GPU". */
export function resourcesInWords(request: Request): string {
  const each = UNITS.filter(([, field]) => (request[field] ?? 0) > 0).map(([, field, unit]) => amount(request[field] ?? 0, unit));
  return `${plural(request.workers ?? 1, "worker")} × ${each.join(", ") || "nothing"}`;
}

function amount(count: number, unit: string): string {
  return `${formatNumber(count)} ${unit}${unit !== "GiB" && count !== 1 ? "s" : ""}`;
}

/** The first thing of which `fewest` workers need more than there is, in words; null when they fit. */
export function shortage(request: Request, supply: Supply): string | null {
  const fewest = request.min_workers ?? request.workers ?? 1;
  for (const [name, field, unit] of UNITS) {
    const needed = fewest * (request[field] ?? 0);
    if (needed > supply[name] + EPSILON)
      return `needs ${amount(needed, unit)}, ${formatNumber(supply[name])} ${supply[name] === 1 ? "is" : "are"} there`;
  }
  return null;
}

/** Whether one worker fits on some node and the fewest workers fit on all nodes together; in words why not. */
export function impossible(request: Request, nodes: Supply[]): string | null {
  for (const [name, field, unit] of UNITS) {
    const each = request[field] ?? 0;
    const largest = Math.max(0, ...nodes.map((node) => node[name]));
    if (each > largest + EPSILON) return `each worker needs ${amount(each, unit)}, the largest machine has ${formatNumber(largest)}`;
  }
  const fewest = request.min_workers ?? request.workers ?? 1;
  const places = nodes.reduce((sum, node) => sum + workersOn(node, request, fewest), 0);
  if (places >= fewest) return null;
  return `${plural(places, "worker")} of this size ${places === 1 ? "fits" : "fit"} on the machines, ${fewest} ${fewest === 1 ? "is" : "are"} asked for`;
}

function workersOn(node: Supply, request: Request, wanted: number): number {
  const fits = UNITS.filter(([, field]) => (request[field] ?? 0) > 0).map(([name, field]) =>
    Math.floor(node[name] / (request[field] ?? 1) + EPSILON),
  );
  return Math.min(wanted, ...fits);
}
