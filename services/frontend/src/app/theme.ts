import { createTheme, type MantineColorsTuple } from "@mantine/core";

/** The green of signals at rest; from 7 on, white text on it is legible. */
const signal: MantineColorsTuple = [
  "#eefbf8",
  "#d6f4ed",
  "#aee9dc",
  "#7fdac8",
  "#4cc5b0",
  "#2bab97",
  "#178a7b",
  "#0f766e",
  "#0c5f59",
  "#094a46",
];

/** Mantine's greys in the dark, in the portal's own tone. */
const dark: MantineColorsTuple = [
  "#ebe9e4",
  "#b9b5ad",
  "#9a968e",
  "#6f6c66",
  "#434b48",
  "#2c3230",
  "#1f2423",
  "#191d1c",
  "#141716",
  "#111413",
];

/** Mantine's theme. Its variables become a style sheet when the portal is built. */
export const theme = createTheme({
  colors: { signal, dark },
  primaryColor: "signal",
  primaryShade: 7,
  defaultRadius: "md",
  fontFamily: "var(--font-text)",
  fontFamilyMonospace: "var(--font-code)",
  headings: { fontFamily: "var(--font-text)", fontWeight: "640" },
  respectReducedMotion: true,
  focusRing: "auto",
  cursorType: "pointer",
});
