/** What the addresses of pages carry. Anything that a person could have typed wrong is dropped, never an error. */

export interface JobsSearch {
  state?: string[];
  template?: string;
  team?: string;
  tag?: string[];
  q?: string;
  sort?: string;
  cursor?: string;
}

export interface JobSearch {
  tab?: "charts" | "logs" | "setup" | "attempts";
  rank?: string;
  attempt?: number;
}

export interface SubmitSearch {
  template?: string;
  /** The job to start from. */
  from?: string;
}

export interface CompareSearch {
  jobs?: string[];
  metric?: string;
  sort?: string;
}

const SORTS = ["created_at", "-created_at", "name", "-name", "state", "-state"];
const TABS = ["charts", "logs", "setup", "attempts"] as const;

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
  });
}

export function submitSearch(given: Record<string, unknown>): SubmitSearch {
  return present({ template: text(given.template), from: text(given.from) });
}

export function compareSearch(given: Record<string, unknown>): CompareSearch {
  return present({ jobs: texts(given.jobs), metric: text(given.metric), sort: text(given.sort) });
}
