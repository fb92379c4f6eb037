/** How far a job is, from what it logged. */
import { lastValue, type Series } from "./curves";

export interface Progress {
  /** From 0 to 1; null when the job does not say how long it is. */
  part: number | null;
  epoch: number | null;
  epochs: number | null;
  step: number;
  stepsPerSecond: number | null;
  /** When it should be done, in milliseconds since 1970. */
  endsAt: number | null;
  /** A few figures that say how good it is. */
  highlights: [key: string, value: number][];
}

const GOOD_FIRST = [
  /^test_.*accuracy/,
  /^validation_.*accuracy|^val_.*acc/,
  /accuracy|_acc$|^acc/,
  /^validation_loss|^val_loss/,
  /^loss$|^train_loss/,
];

/** The progress of a job with these series; null before the first figure. */
export function progressOf(job: { parameters: Record<string, unknown> }, series: readonly Series[]): Progress | null {
  const byKey = new Map(series.filter(({ key }) => !key.startsWith("system/")).map((one) => [one.key, one]));
  if (byKey.size === 0) return null;
  const longest = [...byKey.values()].reduce((best, one) => (last(one.steps) > last(best.steps) ? one : best));
  const epoch = lastValue(byKey.get("epoch"));
  const given = Number(job.parameters.epochs);
  const epochs = Number.isFinite(given) && given > 0 ? given : null;
  const part = epoch !== null && epochs !== null ? Math.min(1, epoch / epochs) : null;
  return {
    part,
    epoch,
    epochs,
    step: last(longest.steps),
    stepsPerSecond: speed(longest),
    endsAt: part === null ? null : end(byKey.get("epoch"), epochs ?? 0),
    highlights: highlights(byKey),
  };
}

function last(values: readonly number[]): number {
  return values[values.length - 1] ?? 0;
}

/** Steps per second over the latest points. */
function speed({ steps, timestamps }: Series): number | null {
  const from = Math.max(0, steps.length - 10);
  const seconds = (last(timestamps) - (timestamps[from] ?? 0)) / 1000;
  const done = last(steps) - (steps[from] ?? 0);
  return seconds > 0 && done > 0 ? done / seconds : null;
}

/** When the last epoch should end, at the pace of the latest ones. */
function end(epochs: Series | undefined, wanted: number): number | null {
  if (!epochs || epochs.values.length < 2) return null;
  const from = Math.max(0, epochs.values.length - 6);
  const done = (lastValue(epochs) ?? 0) - (epochs.values[from] ?? 0);
  const pace = (last(epochs.timestamps) - (epochs.timestamps[from] ?? 0)) / done;
  return done > 0 && Number.isFinite(pace) ? last(epochs.timestamps) + (wanted - (lastValue(epochs) ?? 0)) * pace : null;
}

function highlights(byKey: ReadonlyMap<string, Series>): [string, number][] {
  const found: [string, number][] = [];
  for (const pattern of GOOD_FIRST) {
    for (const [key, series] of byKey) {
      const value = lastValue(series);
      if (pattern.test(key) && value !== null && !found.some(([other]) => other === key)) found.push([key, value]);
    }
  }
  return found.slice(0, 3);
}
