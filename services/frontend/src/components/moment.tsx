import { useEffect } from "react";
import { formatAgo, formatExact, formatSpan, secondsBetween } from "@/lib/format";
import { createStore, useStore } from "@/lib/store";

const now = createStore(Date.now());
let watchers = 0;
let timer: ReturnType<typeof setInterval> | undefined;

/** The time, in milliseconds since 1970, renewed once a second by one timer for the whole page; rounded down to whole `step` milliseconds. */
export function useNow(step = 1): number {
  useEffect(() => {
    if (watchers === 0) now.set(Date.now()); // otherwise the timer keeps it; each new watcher would render all of them again
    watchers += 1;
    timer ??= setInterval(() => now.set(Date.now()), 1000);
    return () => {
      watchers -= 1;
      if (watchers === 0) {
        clearInterval(timer);
        timer = undefined;
      }
    };
  }, []);
  return useStore(now, (time) => Math.floor(time / step) * step);
}

/** How long ago a moment was; the exact one on hover. */
export function Ago({ moment }: { moment: string }) {
  return (
    <time dateTime={moment} title={formatExact(moment)}>
      {formatAgo(moment, useNow())}
    </time>
  );
}

/** The span between two moments; until now, and counting, while there is no second one. */
export function Span({ from, to }: { from: string; to: string | null | undefined }) {
  const current = useNow();
  return (
    <time title={to ? `${formatExact(from)} – ${formatExact(to)}` : `since ${formatExact(from)}`}>
      {formatSpan(Math.max(0, to ? secondsBetween(from, to) : Math.floor(secondsBetween(from, current))))}
    </time>
  );
}
