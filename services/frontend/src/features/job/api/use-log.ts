import { useEffect, useRef, useState } from "react";
import { follow } from "@/api/event-stream";
import { getLog, type LogPiece, type LogRange } from "@/api/generated";
import { messageOf } from "@/api/problem";
import { LogLines } from "@/lib/log-lines";
import { useVisible } from "@/lib/use-visible";

/** The most that the API gives out at once. */
const PIECE_BYTES = 1024 * 1024;
const RETRY_MS = 2000;

export interface Log {
  lines: LogLines;
  /** Bytes before the first line here. */
  earlier: number;
  /** Part of them that is loaded, from 0 to 1, while they are. */
  progress: number | null;
  loading: boolean;
  problem: string | null;
  loadEarlier: () => void;
}

async function read(jobId: string, attempt: number, rank: string, offset: number, limit: number, signal: AbortSignal): Promise<LogRange> {
  const query = { attempt, rank, offset, limit };
  return (await getLog({ path: { job_id: jobId }, query, signal, throwOnError: true })).data;
}

/**
 * The log of one rank: its end at once, what follows as it is written, and what came before when asked for.
 * A stream that breaks goes on at the byte where it broke.
 */
export function useLog(jobId: string, attempt: number, rank: string): Log {
  const [state, setState] = useState(() => fresh());
  const visible = useVisible();
  const position = useRef<{ lines: LogLines; next: number; complete: boolean } | null>(null);
  const [identity, setIdentity] = useState("");
  const wanted = `${jobId} ${attempt} ${rank}`;
  if (identity !== wanted) {
    setIdentity(wanted);
    setState(fresh());
  }
  const { lines } = state;

  useEffect(() => {
    if (!visible || attempt < 1) return;
    const stop = new AbortController();
    const run = async () => {
      if (position.current?.lines !== lines) {
        const tail = await read(jobId, attempt, rank, -PIECE_BYTES, PIECE_BYTES, stop.signal);
        const cut = tail.offset > 0 ? tail.content.indexOf("\n") + 1 : 0;
        lines.append(tail.content.slice(cut));
        position.current = { lines, next: tail.next_offset, complete: tail.complete };
        const skipped = new TextEncoder().encode(tail.content.slice(0, cut)).length;
        setState((now) => (now.lines === lines ? { ...now, loading: false, problem: null, earlier: tail.offset + skipped } : now));
      }
      const reached = position.current;
      if (!reached || reached.complete) return;
      const address = `/api/v1/jobs/${encodeURIComponent(jobId)}/logs/stream?attempt=${attempt}&rank=${encodeURIComponent(rank)}`;
      await follow(address, {
        signal: stop.signal,
        after: `${attempt}:${reached.next}`,
        onEvent: ({ event, id, data }) => {
          if (event === "end") reached.complete = true;
          if (event !== "log") return;
          lines.append((JSON.parse(data) as LogPiece).content);
          reached.next = Number(id?.split(":")[1] ?? reached.next);
        },
      });
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const keepOn = () => {
      run().catch((error: unknown) => {
        if (stop.signal.aborted) return;
        setState((now) => (now.lines === lines ? { ...now, loading: false, problem: messageOf(error) } : now));
        timer = setTimeout(keepOn, RETRY_MS);
      });
    };
    keepOn();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [jobId, attempt, rank, visible, lines]);

  const loadEarlier = () => {
    const end = state.earlier;
    if (!end || state.progress !== null) return;
    const update = (change: Partial<State>) => setState((now) => (now.lines === lines ? { ...now, ...change } : now));
    update({ progress: 0 });
    readLines(jobId, attempt, rank, end, (progress) => update({ progress }))
      .then((before) => {
        lines.prepend(before);
        update({ earlier: 0, progress: null });
      })
      .catch((error: unknown) => update({ progress: null, problem: messageOf(error) }));
  };

  return { ...state, loadEarlier };
}

type State = Omit<Log, "loadEarlier">;

function fresh(): State {
  return { lines: new LogLines(), earlier: 0, progress: null, loading: true, problem: null };
}

/** The lines before byte `end`, which is the start of a line. */
async function readLines(jobId: string, attempt: number, rank: string, end: number, onProgress: (part: number) => void): Promise<string[]> {
  const lines: string[] = [];
  const signal = new AbortController().signal;
  let rest = "";
  for (let offset = 0; offset < end;) {
    const piece = await read(jobId, attempt, rank, offset, Math.min(PIECE_BYTES, end - offset), signal);
    if (piece.next_offset <= offset) break;
    offset = piece.next_offset;
    const parts = (rest + piece.content).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) lines.push(part);
    onProgress(offset / end);
  }
  if (rest) lines.push(rest);
  return lines;
}
