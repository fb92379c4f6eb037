import { Button, MultiSelect } from "@mantine/core";
import { useLayoutEffect, useRef, useState } from "react";
import { Panel } from "@/components/page";
import type { Compared } from "@/lib/compare";
import { plural } from "@/lib/format";
import type { Axis, Brush, Brushes } from "@/lib/parallel";
import { BOTTOM, HEIGHT, TOP } from "./parallel-geometry";
import { ParallelAxis } from "./parallel-axis";
import { ParallelLines } from "./parallel-lines";
import styles from "./parallel.module.css";

interface ParallelProps {
  jobs: Compared[];
  /** Ids of the jobs that are inside of every brush. */
  picked: ReadonlySet<string>;
  axes: Axis[];
  /** The columns that may be axes. */
  columns: string[];
  onAxes: (columns: string[]) => void;
  brushes: Brushes;
  onBrushes: (brushes: Brushes) => void;
}

/** Room for the longest label. */
const NARROWEST = 124;
const SIDE = 56;

/** Every job as a line over its parameters and results; what is brushed on an axis picks jobs for the whole page. */
export function Parallel({ jobs, picked, axes, columns, onAxes, brushes, onBrushes }: ParallelProps) {
  const place = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(800);
  useLayoutEffect(() => {
    const node = place.current;
    if (!node) return;
    const resize = new ResizeObserver(() => setRoom(node.clientWidth));
    resize.observe(node);
    return () => resize.disconnect();
  }, []);

  const width = Math.max(room, 2 * SIDE + NARROWEST * (axes.length - 1));
  const xs = axes.map((_, index) => (axes.length === 1 ? width / 2 : SIDE + (index * (width - 2 * SIDE)) / (axes.length - 1)));
  const brush = (column: string, next: Brush | null) => {
    const rest = Object.fromEntries(Object.entries(brushes).filter(([other]) => other !== column));
    onBrushes(next ? { ...rest, [column]: next } : rest);
  };
  const brushed = Object.keys(brushes).length > 0;
  return (
    <Panel
      title="Parameters and results"
      aside={
        <div className={styles.aside} role="status">
          {brushed && (
            <>
              <span className="small">
                {picked.size} of {plural(jobs.length, "job")} picked
              </span>
              <Button size="compact-sm" variant="default" onClick={() => onBrushes({})}>
                Show all
              </Button>
            </>
          )}
        </div>
      }
    >
      <MultiSelect
        size="xs"
        aria-label="Axes"
        placeholder={axes.length ? undefined : "Choose axes"}
        data={columns.map((column) => ({ value: column, label: column.replace(/^parameters\./, "") }))}
        value={axes.map((axis) => axis.column)}
        onChange={onAxes}
        hidePickedOptions
        className={styles.pick}
      />
      <div ref={place} className={styles.scroll} tabIndex={width > room ? 0 : undefined} role="group" aria-label="Parallel coordinates">
        <svg width={width} height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} className={styles.chart}>
          <ParallelLines jobs={jobs} axes={axes} xs={xs} picked={picked} />
          {axes.map((axis, index) => (
            <ParallelAxis
              key={axis.column}
              axis={axis}
              x={xs[index] ?? 0}
              last={index > 0 && index === axes.length - 1}
              brush={brushes[axis.column] ?? null}
              onBrush={(next) => brush(axis.column, next)}
            />
          ))}
          {jobs.length > 0 && axes.length === 0 && (
            <text x={width / 2} y={(TOP + BOTTOM) / 2} textAnchor="middle" className={styles.none}>
              Choose axes above.
            </text>
          )}
        </svg>
      </div>
      <p className={styles.help}>
        Drag along an axis to pick jobs, click it to let go; a line leads to its job. By keyboard: Tab to an end of an axis, <kbd>↑</kbd>{" "}
        <kbd>↓</kbd> move it, <kbd>Esc</kbd> lets go.
      </p>
    </Panel>
  );
}
