/** Whether the server answers; what the pages show while it does not is what was last known. */
import { createStore } from "@/lib/store";

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 5000;

/** When the server was first found not to answer, in milliseconds since 1970; null while it does. */
export const lostSince = createStore<number | null>(null);

const recovered = new Set<() => void>();
let probing = false;

/** Call back each time the server answers again. Returns the end of it. */
export function onRecovery(listener: () => void): () => void {
  recovered.add(listener);
  return () => recovered.delete(listener);
}

/** A call has been answered. */
export function answered(): void {
  if (lostSince.get() === null) return;
  lostSince.set(null);
  for (const listener of recovered) listener();
}

/** A call has not been answered; the server is asked from now on until it answers. */
export function unanswered(): void {
  if (lostSince.get() === null) lostSince.set(Date.now());
  if (!probing) void probe();
}

async function probe(): Promise<void> {
  probing = true;
  let pause = FIRST_PAUSE_MS;
  while (lostSince.get() !== null) {
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(LONGEST_PAUSE_MS, pause * 1.5);
    const response = await fetch("/api/v1/templates", { cache: "no-store" }).catch(() => null);
    if (response && response.status < 500) answered(); // without the token, "who are you" is an answer too
  }
  probing = false;
}
