import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { parseAnsi, plainText, type Run } from "@/lib/ansi";
import type { LogLines } from "@/lib/log-lines";
import styles from "./log-view.module.css";

interface LogViewProps {
  lines: LogLines;
  /** Changes when the lines do. */
  version: number;
  query: string;
  /** The line to bring into view. */
  current: number | null;
  following: boolean;
  onFollow: (following: boolean) => void;
  label: string;
}

const ROW = 20;
const SPARE = 20;
/** Browsers lose count of heights beyond some ten millions of pixels: above this, one pixel of the scroll bar stands for more than one. */
const TALLEST = 8_000_000;

/** The lines of a log; only those in view are in the page, so that a million of them scroll like a hundred. */
export function LogView({ lines, version, query, current, following, onFollow, label }: LogViewProps) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [view, setView] = useState(480);
  const content = lines.count * ROW;
  const height = Math.min(content, TALLEST);
  const most = Math.max(0, height - view);
  const reach = Math.max(0, content - view);
  const scale = most > 0 ? reach / most : 1;
  const position = Math.min(top, most) * scale;
  const first = Math.max(0, Math.floor(position / ROW) - SPARE);
  const last = Math.min(lines.count, Math.ceil((position + view) / ROW) + SPARE);
  // Where the first row stands in the (maybe squeezed) scrolled area.
  const offset = Math.min(top, most) - (position - first * ROW);

  useLayoutEffect(() => {
    const node = box.current;
    if (!node) return;
    const resize = new ResizeObserver(() => setView(node.clientHeight));
    resize.observe(node);
    return () => resize.disconnect();
  }, []);

  useLayoutEffect(() => {
    const node = box.current;
    if (following && node) node.scrollTop = node.scrollHeight;
  }, [following, version]);

  useEffect(() => {
    const node = box.current;
    if (current === null || !node) return;
    const wanted = Math.max(0, current * ROW - view / 2);
    node.scrollTop = wanted / (scale || 1);
  }, [current]); // eslint-disable-line react-hooks/exhaustive-deps -- only another match moves the view

  const onScroll = () => {
    const node = box.current;
    if (!node) return;
    const atEnd = node.scrollTop + node.clientHeight >= node.scrollHeight - ROW;
    if (node.scrollTop < top - 1 && following && !atEnd) onFollow(false);
    else if (atEnd && !following && node.scrollTop > top) onFollow(true);
    setTop(node.scrollTop);
  };

  const rows = [];
  for (let index = first; index < last; index += 1)
    rows.push(<Row key={index} line={lines.line(index)} query={query} current={index === current} />);
  return (
    <div ref={box} className={styles.box} onScroll={onScroll} tabIndex={0} role="region" aria-label={label}>
      <div style={{ height }} className={styles.content}>
        <div className={styles.rows} style={{ transform: `translateY(${offset}px)` }}>
          {rows}
        </div>
      </div>
    </div>
  );
}

function Row({ line, query, current }: { line: string; query: string; current: boolean }) {
  const runs: Run[] = query ? marked(line, query) : parseAnsi(line);
  return (
    <div className={styles.row} data-current={current || undefined}>
      {runs.map((run, index) => (
        <Piece key={index} run={run} />
      ))}
    </div>
  );
}

const MARK = "match";

/** The line with every match as a run of its own; colours give way to the search. */
function marked(line: string, query: string): Run[] {
  const text = plainText(line);
  const low = text.toLowerCase();
  const wanted = query.toLowerCase();
  if (!low.includes(wanted) || low.length !== text.length) return parseAnsi(line);
  const runs: Run[] = [];
  let from = 0;
  for (let at = low.indexOf(wanted); at >= 0; at = low.indexOf(wanted, from)) {
    if (at > from) runs.push({ text: text.slice(from, at) });
    runs.push({ text: text.slice(at, at + wanted.length), color: MARK });
    from = at + wanted.length;
  }
  if (from < text.length) runs.push({ text: text.slice(from) });
  return runs;
}

function Piece({ run }: { run: Run }) {
  if (run.color === MARK) return <mark>{run.text}</mark>;
  const names = [
    typeof run.color === "number" ? styles[`c${run.color}`] : "",
    run.bold ? styles.bold : "",
    run.dim ? styles.dim : "",
    run.italic ? styles.italic : "",
    run.underline ? styles.underline : "",
  ].filter(Boolean);
  const exact = typeof run.color === "string" ? { color: run.color } : undefined;
  if (names.length === 0 && !exact) return run.text;
  return (
    <span className={names.join(" ")} style={exact}>
      {run.text}
    </span>
  );
}
