/** What the addresses of pages carry. Anything that a person could have typed wrong is dropped, never an error. */
import { isDay, isSpan } from "./period";

export interface JobsSearch {
  state?: string[];
  template?: string;
  team?: string;
  tag?: string[];
  /** When it was submitted: a span such as "24h" that ends now, or the first day. */
  from?: string;
  /** The last day. */
  to?: string;
  q?: string;
  sort?: string;
  cursor?: string;
}

export interface JobSearch {
  tab?: (typeof TABS)[number];
  rank?: string;
  attempt?: number;
  /** The folder of artifacts that is shown. */
  path?: string;
}

export interface SubmitSearch {
  template?: string;
  /** The job to start from. */
  from?: string;
  /** The step of its checkpoint that training goes on from. */
  step?: number;
}

export interface CompareSearch {
  /** Ids with dots between them: addresses have a longest length, and hundreds of jobs are to fit in. */
  jobs?: string;
  metric?: string;
  sort?: string;
  by?: "time";
  log?: true;
  smoothing?: number;
  /** The columns that are axes of the parallel coordinates. */
  axes?: string[];
  /** What is brushed on them: column, lowest and highest part of the axis, with "~" between. */
  brush?: string[];
}

const SORTS = ["created_at", "-created_at", "name", "-name", "state", "-state"];
const TABS = ["charts", "logs", "checkpoints", "artifacts", "setup", "attempts"] as const;

function text(value: unknown): string | undefined {
  const found = typeof value === "number" ? String(value) : value;
  return typeof found === "string" && found ? found : undefined;
}

function texts(value: unknown): string[] | undefined {
  const found = (Array.isArray(value) ? value : [value]).map(text).filter((one) => one !== undefined);
  return found.length ? found : undefined;
}

/** The entries that are there: addresses stay free of empty parameters. */
function present<T extends object>(search: T): T {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as T;
}

export function jobsSearch(given: Record<string, unknown>): JobsSearch {
  const sort = text(given.sort);
  return present({
    state: texts(given.state),
    template: text(given.template),
    team: text(given.team),
    tag: texts(given.tag)?.filter((tag) => tag.includes(":")),
    from: [text(given.from)].find((from) => from !== undefined && (isSpan(from) || isDay(from))),
    to: [text(given.to)].find((to) => to !== undefined && isDay(to)),
    q: text(given.q),
    sort: sort && SORTS.includes(sort) ? sort : undefined,
    cursor: text(given.cursor),
  });
}

export function jobSearch(given: Record<string, unknown>): JobSearch {
  const attempt = Number(given.attempt);
  return present({
    tab: TABS.find((tab) => tab === given.tab),
    rank: text(given.rank),
    attempt: Number.isInteger(attempt) && attempt > 0 ? attempt : undefined,
    path: text(given.path),
  });
}

export function submitSearch(given: Record<string, unknown>): SubmitSearch {
  const step = Number(given.step ?? NaN);
  return present({ template: text(given.template), from: text(given.from), step: Number.isInteger(step) && step >= 0 ? step : undefined });
}

export function compareSearch(given: Record<string, unknown>): CompareSearch {
  const smoothing = Number(given.smoothing);
  return present({
    jobs: texts(given.jobs)?.join("."),
    metric: text(given.metric),
    sort: text(given.sort),
    by: given.by === "time" ? ("time" as const) : undefined,
    log: given.log === true || given.log === "true" ? (true as const) : undefined,
    smoothing: smoothing > 0 && smoothing < 1 ? smoothing : undefined,
    axes: texts(given.axes),
    brush: texts(given.brush),
  });
}

/** The jobs of a comparison as its address carries them, and back. */
export const jobsInAddress = (ids: readonly string[]): string | undefined => (ids.length ? ids.join(".") : undefined);
export const jobsOfAddress = (jobs: string | undefined): string[] => (jobs ?? "").split(".").filter(Boolean);
