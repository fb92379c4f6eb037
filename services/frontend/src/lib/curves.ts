/** Series of a metric: how they are smoothed, grouped and joined. */

export interface Series {
  key: string;
  steps: number[];
  values: (number | null)[];
  /** Milliseconds since 1970. */
  timestamps: number[];
}

/**
 * Exponential moving average with the start's bias taken out. `weight` from 0 (as it is) to below 1 (very smooth); gaps stay gaps.
 */
export function smooth(values: readonly (number | null)[], weight: number): (number | null)[] {
  if (weight <= 0) return [...values];
  let average = 0;
  let mass = 0;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return null;
    average = average * weight + value * (1 - weight);
    mass = mass * weight + (1 - weight);
    return average / mass;
  });
}

const SPLITS = ["train", "training", "validation", "valid", "val", "test", "eval"];
const SPLIT = new RegExp(`^(?:${SPLITS.join("|")})[_/.-](.+)$|^(.+)[_/.-](?:${SPLITS.join("|")})$`, "i");

const MACHINE = /^system\/rank-\d+\/(.+)$/;

/** What a metric measures, whatever part of the data and whichever rank it was measured on: train_loss and validation_loss are both "loss". */
export function measureOf(key: string): string {
  const machine = MACHINE.exec(key);
  if (machine) return `system/${machine[1]}`;
  const match = SPLIT.exec(key);
  return match?.[1] ?? match?.[2] ?? key;
}

/** Charts people look at first come first; those of the machine are last. */
const ORDER = [
  /loss/i,
  /acc|f1|auc|r2|rmse|mae|perplexity/i,
  /^(?!system\/|epoch$|learning_rate$|lr$|samples_per_second$)/,
  /^(?!system\/)/,
  /./,
];

/** Keys by what they measure, so that training and validation share a chart; measures of the machine are last. */
export function groupByMeasure(keys: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  const rank = (key: string) => ORDER.findIndex((pattern) => pattern.test(key));
  for (const key of [...keys].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))) {
    const measure = measureOf(key);
    groups.set(measure, [...(groups.get(measure) ?? []), key]);
  }
  return groups;
}

/** The series as points over `by`; points without a value keep their place, and time is seconds since `start` (milliseconds since 1970). */
export function pointsOf(series: Series, by: "step" | "time", start: number): { xs: number[]; ys: (number | null)[] } {
  const xs = by === "step" ? series.steps : series.timestamps.map((moment) => (moment - start) / 1000);
  const order = xs.map((_, index) => index);
  if (xs.some((x, index) => index > 0 && x <= (xs[index - 1] ?? 0)))
    order.sort((a, b) => (xs[a] ?? 0) - (xs[b] ?? 0) || (series.timestamps[a] ?? 0) - (series.timestamps[b] ?? 0));
  const kept: { xs: number[]; ys: (number | null)[] } = { xs: [], ys: [] };
  for (const index of order) {
    const x = xs[index] ?? 0;
    const value = series.values[index] ?? null;
    if (kept.xs.length && kept.xs[kept.xs.length - 1] === x)
      kept.ys[kept.ys.length - 1] = value; // a step logged twice: the later one counts
    else {
      kept.xs.push(x);
      kept.ys.push(value);
    }
  }
  return kept;
}

/** The last finite value of a series. */
export function lastValue(series: Pick<Series, "values"> | undefined): number | null {
  return series?.values.findLast((value) => value !== null && Number.isFinite(value)) ?? null;
}

/**
 * The curves with their points moved to at most `columns` places that all of them share, so that many curves are as fast to draw as a few. A
 * point moves by half a column at most; of those that meet, the last one counts.
 */
export function onColumns<T extends { xs: number[]; ys: (number | null)[] }>(curves: readonly T[], columns: number): T[] {
  const first = Math.min(...curves.map((curve) => curve.xs[0] ?? Infinity));
  const last = Math.max(...curves.map((curve) => curve.xs[curve.xs.length - 1] ?? -Infinity));
  const width = (last - first) / (columns - 1);
  if (!(width > 0) || !Number.isFinite(width)) return [...curves];
  return curves.map((curve) => {
    const xs: number[] = [];
    const ys: (number | null)[] = [];
    for (const [index, x] of curve.xs.entries()) {
      const place = first + Math.round((x - first) / width) * width;
      if (xs.length && xs[xs.length - 1] === place) ys[ys.length - 1] = curve.ys[index] ?? null;
      else {
        xs.push(place);
        ys.push(curve.ys[index] ?? null);
      }
    }
    return { ...curve, xs, ys };
  });
}
