/** Parallel coordinates: one axis for each parameter or metric, one line for each job, and brushes that pick jobs. */
import { type Compared, differing, valueIn } from "./compare";
import { formatMetric } from "./format";

export interface Axis {
  /** "parameters.x", or a metric. */
  column: string;
  label: string;
  /** Where a job stands on it, from 0 (bottom) to 1 (top); null when it has no such value. */
  place: (job: Compared) => number | null;
  ticks: { at: number; text: string }[];
}

/** The part of an axis that is picked. */
export type Brush = readonly [low: number, high: number];
export type Brushes = Readonly<Record<string, Brush>>;

const MOST_CHOICES = 24;
const MOST_TICKS = 8;
const MOST_PARAMETERS = 8;
const MOST_METRICS = 4;
/** Values this far apart are told from each other on a scale of powers only. */
const LOG_FROM = 100;

/** The columns that axes can stand for: parameters in which the jobs differ, then metrics. */
export function columnsOf(jobs: readonly Compared[], metrics: readonly string[]): string[] {
  const parameters = differing(jobs).map((name) => `parameters.${name}`);
  return [...parameters, ...metrics.filter((key) => key !== "epoch")].filter((column) => axisOf(jobs, column) !== null);
}

/** Those that are shown while nobody has chosen: few enough to be read. */
export function firstColumns(columns: readonly string[]): string[] {
  const parameters = columns.filter((column) => column.startsWith("parameters."));
  const metrics = columns.filter((column) => !column.startsWith("parameters."));
  return [...parameters.slice(0, MOST_PARAMETERS), ...metrics.slice(0, MOST_METRICS)];
}

/** The axis of a column: numbers on a scale, other values one above the other; null when there are none, or too many to be told apart. */
export function axisOf(jobs: readonly Compared[], column: string): Axis | null {
  const values = jobs.map((job) => valueIn(job, column)).filter((value) => value !== null && value !== undefined);
  if (values.length === 0) return null;
  const label = column.replace(/^parameters\./, "");
  if (values.every((value) => typeof value === "number")) return numberAxis(column, label, values);
  const choices = [...new Set(values.map(asText))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  if (choices.length > MOST_CHOICES) return null;
  const at = (text: string) => (choices.length === 1 ? 0.5 : choices.indexOf(text) / (choices.length - 1));
  const place = (job: Compared) => {
    const value = valueIn(job, column);
    return value === null || value === undefined ? null : at(asText(value));
  };
  return { column, label, place, ticks: choices.map((text) => ({ at: at(text), text })) };
}

function numberAxis(column: string, label: string, values: number[]): Axis {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const powers = low > 0 && high / low >= LOG_FROM;
  const scale = (value: number) => (powers ? Math.log(value) : value);
  const span = scale(high) - scale(low);
  const at = (value: number) => (span > 0 ? (scale(value) - scale(low)) / span : 0.5);
  const distinct = [...new Set(values)];
  const between = [0, 0.25, 0.5, 0.75, 1].map((part) => (powers ? low * (high / low) ** part : low + (high - low) * part));
  const ticks = (distinct.length <= MOST_TICKS && far(distinct.map(at)) ? distinct : span > 0 ? between : [low]).map((value) => ({
    at: at(value),
    text: formatMetric(value),
  }));
  const place = (job: Compared) => {
    const value = valueIn(job, column);
    return typeof value === "number" ? at(value) : null;
  };
  return { column, label, place, ticks };
}

/** Whether labels at these places do not run into each other. */
function far(places: number[]): boolean {
  const sorted = [...places].sort((a, b) => a - b);
  return sorted.every((place, index) => index === 0 || place - (sorted[index - 1] ?? 0) > 0.07);
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Whether the job is inside of every brush. */
export function isPicked(job: Compared, axes: readonly Axis[], brushes: Brushes): boolean {
  return axes.every((axis) => {
    const brush = brushes[axis.column];
    if (!brush) return true;
    const place = axis.place(job);
    return place !== null && place >= brush[0] - 1e-9 && place <= brush[1] + 1e-9;
  });
}

/** The brushes as an address carries them. */
export function brushesAsTexts(brushes: Brushes): string[] {
  return Object.entries(brushes).map(([column, [low, high]]) => `${column}~${low.toFixed(3)}~${high.toFixed(3)}`);
}

/** And back; what is none is left out. */
export function brushesOf(texts: readonly string[]): Brushes {
  const found = texts.flatMap((text): [string, Brush][] => {
    const parts = text.split("~");
    const [low, high] = parts.slice(-2).map(Number);
    const column = parts.slice(0, -2).join("~");
    const makesSense = column && low !== undefined && high !== undefined && low >= 0 && high <= 1 && low <= high;
    return makesSense ? [[column, [low, high]]] : [];
  });
  return Object.fromEntries(found);
}

export type End = "low" | "high";

const STEPS: Record<string, number> = { ArrowUp: 0.02, ArrowRight: 0.02, ArrowDown: -0.02, ArrowLeft: -0.02, PageUp: 0.1, PageDown: -0.1 };

/** The brush after a key on one of its ends; null when the key takes the brush away, undefined when it does nothing. */
export function brushAfterKey([low, high]: Brush, end: End, key: string): Brush | null | undefined {
  if (key === "Escape" || key === "Delete" || key === "Backspace") return null;
  const step = Object.hasOwn(STEPS, key) ? STEPS[key] : undefined;
  const wanted = key === "Home" ? 0 : key === "End" ? 1 : step === undefined ? undefined : (end === "low" ? low : high) + step;
  if (wanted === undefined) return undefined;
  const next: Brush = end === "low" ? [Math.min(high, Math.max(0, wanted)), high] : [low, Math.max(low, Math.min(1, wanted))];
  return whole(next) ? null : next;
}

/** Whether the brush leaves nothing out. */
export function whole([low, high]: Brush): boolean {
  return low <= 0 && high >= 1;
}

/** What stands at a place of the axis, for those who hear it: the nearest tick. */
export function textAt(axis: Axis, place: number): string {
  const nearest = axis.ticks.reduce((best, tick) => (Math.abs(tick.at - place) < Math.abs(best.at - place) ? tick : best));
  return nearest.text;
}
