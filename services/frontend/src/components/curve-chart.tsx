import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useMemo, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { formatMetric, formatNumber, formatSpan } from "@/lib/format";
import { smooth } from "@/lib/curves";
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

/** Curves over steps or time. Dragging zooms in, a double click or Escape zooms out; cursors of all charts on a page move together. */
export function CurveChart({ label, curves, by, log = false, smoothing = 0, height = 220 }: CurveChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const [at, setAt] = useState<number | null>(null);
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
    const chart = new uPlot(options(node, identities, { by, log, smoothed, height, scheme }, setAt), [[]], node);
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
    const { min, max } = chart.scales.x ?? {};
    const xs = chart.data[0];
    const zoomed = xs.length > 0 && (min !== xs[0] || max !== xs[xs.length - 1]);
    chart.setData(data, !zoomed);
  }, [data, names, by, log, smoothed, height, scheme]);

  const values = curves.map((_, index) => {
    const column = (data[1 + index * (smoothed ? 2 : 1)] ?? []) as readonly (number | null | undefined)[];
    return at === null ? column.findLast((value) => typeof value === "number") : column[at];
  });
  const x = at === null ? null : data[0][at];
  return (
    <div className={styles.box}>
      <div
        ref={place}
        className={styles.chart}
        role="img"
        aria-label={`${label}: ${curves.map((curve, index) => `${curve.label} ${formatMetric(values[index])}`).join(", ")}`}
      />
      <ul className={styles.legend}>
        <li className={styles.at}>{x === null || x === undefined ? "latest" : `${by === "step" ? "step " : "after "}${xText(by, x)}`}</li>
        {curves.map((curve, index) => (
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
  const tables = curves.map((curve): uPlot.AlignedData => {
    const ys = positive(curve.ys);
    return smoothing > 0 ? [curve.xs, ys, smooth(ys, smoothing)] : [curve.xs, ys];
  });
  return tables.length ? uPlot.join(tables) : [[]];
}

function options(node: HTMLElement, curves: [string, number][], look: Look, onCursor: (index: number | null) => void): uPlot.Options {
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
    hooks: { setCursor: [(chart) => onCursor(chart.cursor.idx ?? null)] },
    padding: [8, 8, 0, 0],
  };
}

function xText(by: string, value: number | null): string {
  if (value === null || value === undefined) return "–";
  return by === "step" ? formatNumber(value) : formatSpan(value);
}
