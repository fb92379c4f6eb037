/** Who the browser is to the API: a bearer token for the length of the tab's life. */
import { createStore } from "@/lib/store";

const KEY = "trainyard-token";

function stored(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null; // storage is switched off: the token lasts until the page is loaded again
  }
}

export const token = createStore<string | null>(stored());

/** Remember the token for this tab; null forgets it. */
export function setToken(next: string | null): void {
  try {
    if (next === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, next);
  } catch {
    // see above
  }
  token.set(next);
}

/** Take the token out of the address (`#token=...`), so that it is in no bookmark, screenshot or history. */
export function takeTokenFromAddress(location: Location, history: History): void {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  setToken(given);
  history.replaceState(history.state, "", location.pathname + location.search);
}
