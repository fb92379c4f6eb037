import { useComputedColorScheme } from "@mantine/core";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatMetric, formatNumber, formatSpan, plural } from "@/lib/format";
import { onColumns, smooth } from "@/lib/curves";
import { afterKey, type Range } from "@/lib/zoom";
import { ChartButtons } from "./chart-buttons";
import styles from "./curve-chart.module.css";

export interface Curve {
  label: string;
  /** Number of one of the eight curve colours. */
  color: number;
  xs: number[];
  ys: (number | null)[];
}

interface CurveChartProps {
  /** What is shown, for those who cannot see it. */
  label: string;
  curves: Curve[];
  by: "step" | "time";
  log?: boolean;
  smoothing?: number;
  height?: number;
}

interface Look {
  by: "step" | "time";
  log: boolean;
  smoothed: boolean;
  height: number;
  /** Colours are read from the page, whose scheme this is. */
  scheme: string;
}

const COLORS = 8;
/** Values in the joined table above which curves share their places: more would not follow the pointer. */
const MOST_CELLS = 400_000;
const COLUMNS = 1200;
/** More names than this are no legend. */
const MOST_NAMES = 12;

/**
 * Curves over steps or time. Dragging zooms in and a double click shows everything again, and so do keys and buttons; cursors of all charts on
 * a page move together.
 */
export function CurveChart({ label, curves, by, log = false, smoothing = 0, height = 220 }: CurveChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const [at, setAt] = useState<number | null>(null);
  const [part, setPart] = useState<Range | null>(null);
  /** What is zoomed to stays when the curves change, but not when the axis does. */
  const zoom = useRef<{ by: string; part: Range | null }>({ by, part: null });
  const scheme = useComputedColorScheme("light");
  const data = useMemo(() => aligned(curves, smoothing, log), [curves, smoothing, log]);
  const names = curves.map((curve) => `${curve.label}\t${curve.color}`).join("\n");
  const smoothed = smoothing > 0;

  useEffect(() => {
    const node = place.current;
    if (!node) return;
    const identities = names.split("\n").map((name): [string, number] => {
      const [text = "", color = "0"] = name.split("\t");
      return [text, Number(color)];
    });
    const onPart = (next: Range | null) => {
      zoom.current = { by, part: next };
      setPart(next);
    };
    const chart = new uPlot(options(node, identities, { by, log, smoothed, height, scheme }, setAt, onPart), [[]], node);
    plot.current = chart;
    const resize = new ResizeObserver(() => chart.setSize({ width: node.clientWidth, height }));
    resize.observe(node);
    return () => {
      resize.disconnect();
      chart.destroy();
      plot.current = null;
    };
  }, [names, by, log, smoothed, height, scheme]);

  // After the effect above, and whenever it has made a new chart.
  useEffect(() => {
    const chart = plot.current;
    if (!chart) return;
    const kept = zoom.current.by === by ? zoom.current.part : null;
    chart.setData(data, true);
    if (kept) chart.setScale("x", { min: kept[0], max: kept[1] });
  }, [data, names, by, log, smoothed, height, scheme]);

  const press = (key: string) => {
    const chart = plot.current;
    const xs = chart?.data[0] ?? [];
    const whole: Range = [xs[0] ?? 0, xs[xs.length - 1] ?? 0];
    const { min, max } = chart?.scales.x ?? {};
    const next = afterKey(key, [min ?? whole[0], max ?? whole[1]], whole);
    if (next) chart?.setScale("x", { min: next[0], max: next[1] });
    return next !== null;
  };
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== event.currentTarget) return;
    if (press(event.key)) event.preventDefault();
  };

  const values = curves.map((_, index) => {
    const column = (data[1 + index * (smoothed ? 2 : 1)] ?? []) as readonly (number | null | undefined)[];
    return at === null ? column.findLast((value) => typeof value === "number") : column[at];
  });
  const x = at === null ? null : data[0][at];
  const named = curves.slice(0, MOST_NAMES);
  const rest = curves.length - named.length;
  const told = named.map((curve, index) => `${curve.label} ${formatMetric(values[index])}`).join(", ");
  return (
    <div className={styles.box}>
      <div className={styles.frame} tabIndex={0} role="group" aria-label={`Chart of ${label}`} onKeyDown={onKeyDown}>
        <div
          ref={place}
          className={styles.chart}
          role="img"
          data-curves={curves.length}
          aria-label={`${label}: ${told}${rest > 0 ? ` and ${rest} more` : ""}`}
        />
        <ChartButtons onPress={press} />
      </div>
      <ul className={styles.legend}>
        <li className={styles.at}>
          {x === null || x === undefined
            ? "latest"
            : `${by === "step" ? "step " : "after "}${xText(by, by === "step" ? Math.round(x) : x)}`}
        </li>
        {part && (
          <li role="status">
            {by === "step" ? "steps" : "from"} {xText(by, Math.round(part[0]))} to {xText(by, Math.round(part[1]))} shown
          </li>
        )}
        {rest > 0 && <li>{plural(curves.length, "curve")}; the first of them:</li>}
        {named.map((curve, index) => (
          <li key={curve.label + index}>
            <span className={styles.dot} style={{ background: `var(--curve-${(curve.color % COLORS) + 1})` }} />
            {curve.label} <b>{formatMetric(values[index])}</b>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** uPlot's columns: the joined x, and per curve its values and, when smoothed, its smooth values. */
function aligned(curves: Curve[], smoothing: number, log: boolean): uPlot.AlignedData {
  const positive = (ys: (number | null)[]) => (log ? ys.map((value) => (value !== null && value > 0 ? value : null)) : ys);
  const places = new Set(curves.flatMap((curve) => curve.xs)).size;
  const drawn = places * curves.length > MOST_CELLS ? onColumns(curves, COLUMNS) : curves;
  const tables = drawn.map((curve): uPlot.AlignedData => {
    const ys = positive(curve.ys);
    return smoothing > 0 ? [curve.xs, ys, smooth(ys, smoothing)] : [curve.xs, ys];
  });
  return tables.length ? uPlot.join(tables) : [[]];
}

function options(
  node: HTMLElement,
  curves: [string, number][],
  look: Look,
  onCursor: (index: number | null) => void,
  onPart: (part: Range | null) => void,
): uPlot.Options {
  const css = getComputedStyle(node);
  const color = (name: string) => css.getPropertyValue(name).trim();
  const axis = {
    stroke: color("--ink-faint"),
    font: `11px ${css.fontFamily}`,
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
  };
  const series = curves.flatMap(([label, number]): uPlot.Series[] => {
    const stroke = color(`--curve-${(number % COLORS) + 1}`);
    const line = {
      label,
      stroke,
      width: 2,
      spanGaps: true,
      points: { size: 5 },
      value: (_: uPlot, value: number | null) => formatMetric(value),
    };
    return look.smoothed ? [{ ...line, label: `${label} (raw)`, stroke: `${stroke}55`, width: 1, points: { show: false } }, line] : [line];
  });
  return {
    width: node.clientWidth,
    height: look.height,
    series: [{}, ...series],
    scales: { x: { time: false }, y: { distr: look.log ? 3 : 1 } },
    axes: [
      { ...axis, size: 28, values: (_, splits) => splits.map((split) => xText(look.by, split)) },
      { ...axis, size: 58, values: (_, splits) => splits.map((split) => (split === null ? "" : formatMetric(split))) },
    ],
    cursor: { sync: { key: "curves" }, drag: { x: true, y: false }, focus: { prox: 24 } },
    focus: { alpha: 0.35 },
    legend: { show: false },
    hooks: {
      setCursor: [(chart) => onCursor(chart.cursor.idx ?? null)],
      setScale: [(chart, key) => key === "x" && onPart(shownPart(chart))],
    },
    padding: [8, 8, 0, 0],
  };
}

/** The part of the steps or the time that is in sight; null when all of it is. */
function shownPart(chart: uPlot): Range | null {
  const xs = chart.data[0];
  const { min, max } = chart.scales.x ?? {};
  if (typeof min !== "number" || typeof max !== "number" || xs.length === 0) return null;
  const [first = min, last = max] = [xs[0], xs[xs.length - 1]];
  return min > first || max < last ? [min, max] : null;
}

function xText(by: string, value: number | null): string {
  if (value === null || value === undefined) return "–";
  return by === "step" ? formatNumber(value) : formatSpan(value);
}
