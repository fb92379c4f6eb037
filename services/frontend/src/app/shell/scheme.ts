/** Light or dark: the system's choice until the reader makes another. public/scheme.js applies it before the first paint. */
import type { MantineColorScheme, MantineColorSchemeManager } from "@mantine/core";

const KEY = "trainyard-scheme";

function read(fallback: MantineColorScheme): MantineColorScheme {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "light" || stored === "dark" ? stored : fallback;
  } catch {
    return fallback;
  }
}

/** Keeps the choice where public/scheme.js reads it. */
export const schemeManager: MantineColorSchemeManager = {
  get: read,
  set(value) {
    try {
      localStorage.setItem(KEY, value);
    } catch {
      // storage is switched off: the choice lasts as long as the page
    }
  },
  subscribe: () => undefined,
  unsubscribe: () => undefined,
  clear: () => undefined,
};
