import { type KeyboardEvent, type PointerEvent, useState } from "react";
import { type Axis, type Brush, brushAfterKey, type End, textAt, whole } from "@/lib/parallel";
import { BOTTOM, placeAt, TOP, yOf } from "./parallel-geometry";
import styles from "./parallel.module.css";

interface ParallelAxisProps {
  axis: Axis;
  x: number;
  /** Whether its ticks are on the left: there is no room on the right. */
  last: boolean;
  brush: Brush | null;
  onBrush: (brush: Brush | null) => void;
}

const WIDE = 14;
/** A shorter drag is a click. */
const CLICK = 0.015;
const LONGEST = 16;

/** One axis with its ticks, and its brush: dragged with a pointer, or moved end by end with keys. */
export function ParallelAxis({ axis, x, last, brush, onBrush }: ParallelAxisProps) {
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const shown: Brush = drag ? [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)] : (brush ?? [0, 1]);
  const picks = drag !== null || brush !== null;

  const placeOf = (event: PointerEvent<SVGRectElement>) => {
    const box = event.currentTarget.ownerSVGElement?.getBoundingClientRect();
    return placeAt(event.clientY - (box?.top ?? 0));
  };
  const begin = (event: PointerEvent<SVGRectElement>) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const at = placeOf(event);
    // Near an end of the brush, that end moves.
    const from = brush && Math.abs(at - brush[0]) < 0.04 ? brush[1] : brush && Math.abs(at - brush[1]) < 0.04 ? brush[0] : at;
    setDrag({ from, to: at });
  };
  const end = () => {
    if (!drag) return;
    setDrag(null);
    onBrush(shown[1] - shown[0] < CLICK || whole(shown) ? null : shown);
  };
  const onKey = (event: KeyboardEvent, which: End) => {
    const next = brushAfterKey(shown, which, event.key);
    if (next === undefined) return;
    event.preventDefault();
    onBrush(next);
  };
  const handle = (which: End) => {
    const place = which === "low" ? shown[0] : shown[1];
    return (
      <rect
        role="slider"
        tabIndex={0}
        aria-label={`${axis.label}, ${which === "low" ? "lowest" : "highest"} that is picked`}
        aria-orientation="vertical"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(100 * place)}
        aria-valuetext={textAt(axis, place)}
        className={styles.handle}
        data-idle={!picks || undefined}
        x={x - WIDE / 2}
        y={yOf(place) - (which === "high" ? 6 : 0)}
        width={WIDE}
        height={6}
        rx={2}
        onKeyDown={(event) => onKey(event, which)}
      />
    );
  };
  return (
    <g>
      <text x={x} y={TOP - 14} textAnchor="middle" className={styles.label}>
        <title>{axis.label}</title>
        {axis.label.length > LONGEST ? `${axis.label.slice(0, LONGEST - 1)}…` : axis.label}
      </text>
      <line x1={x} x2={x} y1={TOP} y2={BOTTOM} className={styles.axis} />
      {axis.ticks.map((tick) => (
        <text
          key={tick.at}
          x={last ? x - 9 : x + 9}
          textAnchor={last ? "end" : "start"}
          y={yOf(tick.at) + 4}
          className={styles.tick}
          aria-hidden="true"
        >
          {tick.text.length > LONGEST - 3 ? `${tick.text.slice(0, LONGEST - 4)}…` : tick.text}
        </text>
      ))}
      {picks && <rect x={x - WIDE / 2} width={WIDE} y={yOf(shown[1])} height={yOf(shown[0]) - yOf(shown[1])} className={styles.brush} />}
      <rect
        x={x - WIDE}
        width={2 * WIDE}
        y={TOP - 6}
        height={BOTTOM - TOP + 12}
        className={styles.catch}
        data-axis={axis.column}
        onPointerDown={begin}
        onPointerMove={(event) => drag && setDrag({ ...drag, to: placeOf(event) })}
        onPointerUp={end}
        onPointerCancel={() => setDrag(null)}
      />
      {handle("low")}
      {handle("high")}
    </g>
  );
}
