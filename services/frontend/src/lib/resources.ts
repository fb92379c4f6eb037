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
