/** Server-sent events over fetch: unlike EventSource it can carry the token, and it goes on after the last event it saw. */
import { fetchFromApi } from "./client";
import { ApiError, errorOf } from "./problem";

export interface StreamEvent {
  event: string;
  id: string | null;
  data: string;
}

/** Takes the text of a stream in any pieces and gives out whole events. */
export class EventParser {
  private rest = "";
  private event = "";
  private data: string[] = [];
  private id: string | null = null;

  /** The events that this piece completes. */
  push(piece: string): StreamEvent[] {
    const lines = (this.rest + piece).split("\n");
    this.rest = lines.pop() ?? "";
    const found: StreamEvent[] = [];
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") {
        if (this.data.length) found.push({ event: this.event || "message", id: this.id, data: this.data.join("\n") });
        this.event = "";
        this.data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") this.event = value;
      else if (field === "data") this.data.push(value);
      else if (field === "id") this.id = value;
    }
    return found;
  }
}

export interface FollowOptions {
  signal: AbortSignal;
  /** Go on after this event. */
  after?: string | null;
  onEvent: (event: StreamEvent) => void;
  /** Told false when the stream breaks, and true when it flows again. */
  onConnected?: (connected: boolean) => void;
  firstPauseMs?: number;
}

const LONGEST_PAUSE_MS = 5000;

/**
 * Follow a stream until its `end` event or until `signal` is aborted; a stream that breaks is taken up after the last event seen.
 * Raises ApiError when the server refuses the stream for good (not for being busy).
 */
export async function follow(
  url: string,
  { signal, after = null, onEvent, onConnected, firstPauseMs = 500 }: FollowOptions,
): Promise<void> {
  let last = after;
  let pause = firstPauseMs;
  while (!signal.aborted) {
    try {
      const response = await fetchFromApi(url, {
        headers: { Accept: "text/event-stream", ...(last === null ? {} : { "Last-Event-ID": last }) },
        cache: "no-store",
        signal,
      });
      if (!response.ok || !response.body) throw errorOf(response.status, await response.json().catch(() => null));
      onConnected?.(true);
      const parser = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        for (const event of parser.push(value)) {
          pause = firstPauseMs;
          if (event.id !== null) last = event.id;
          onEvent(event);
          if (event.event === "end") {
            void reader.cancel().catch(() => undefined);
            return;
          }
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) throw error;
    }
    if (signal.aborted) return;
    onConnected?.(false);
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
  }
}
