/** When something happened, as a filter: a span that ends now, or days from and to. */

const SPANS_MS: Record<string, number> = { "1h": 3_600_000, "24h": 86_400_000, "7d": 7 * 86_400_000, "30d": 30 * 86_400_000 };
const DAY = /^\d{4}-\d{2}-\d{2}$/;
/** What bounds that move with the time are rounded to. */
export const MINUTE_MS = 60_000;

/** The spans that can be chosen, with what they are called. */
export const SPANS = [
  { value: "1h", label: "Last hour" },
  { value: "24h", label: "Last 24 hours" },
  { value: "7d", label: "Last 7 days" },
  { value: "30d", label: "Last 30 days" },
];

/** Whether the text is one of the spans. */
export function isSpan(text: string): boolean {
  return Object.hasOwn(SPANS_MS, text);
}

/** Whether the text is a day of the calendar, as 2026-11-25. */
export function isDay(text: string): boolean {
  return DAY.test(text) && startOfDay(text) !== null;
}

/** The start of the day in the reader's time zone, `later` days after it; null for a day that does not exist, such as 30 February. */
function startOfDay(day: string, later = 0): Date | null {
  const [year = 0, month = 0, date = 0] = day.split("-").map(Number);
  const start = new Date(year, month - 1, date);
  const exists = start.getMonth() === month - 1 && start.getDate() === date;
  return exists ? new Date(year, month - 1, date + later) : null;
}

/**
 * The bounds for the API. `from` is a span or a day, `to` a day that is inside. A span counts in whole minutes, so that the same question is
 * asked for a while.
 */
export function boundsOfPeriod(
  from: string | undefined,
  to: string | undefined,
  now: number,
): { created_after?: string; created_before?: string } {
  const span = from ? SPANS_MS[from] : undefined;
  const after = span !== undefined ? new Date(Math.floor(now / MINUTE_MS) * MINUTE_MS - span) : from ? startOfDay(from) : null;
  const before = to ? startOfDay(to, 1) : null;
  return { ...(after && { created_after: after.toISOString() }), ...(before && { created_before: before.toISOString() }) };
}
