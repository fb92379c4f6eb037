// How the portal is built, served while developing, and tested.
import { fileURLToPath } from "node:url";
import { convertCssVariables, defaultCssVariablesResolver, mergeMantineTheme, DEFAULT_THEME } from "@mantine/core";
import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { theme } from "./src/app/theme.ts";

const VARIABLES = "virtual:theme-variables.css";

/** Mantine's variables as a style sheet: put into a <style> element at run time, the content security policy would refuse them. */
function themeVariables(): Plugin {
  return {
    name: "theme-variables",
    resolveId: (id) => (id === VARIABLES ? `\0${VARIABLES}` : null),
    load: (id) =>
      id === `\0${VARIABLES}` ? convertCssVariables(defaultCssVariablesResolver(mergeMantineTheme(DEFAULT_THEME, theme)), ":root") : null,
  };
}

const api = process.env.TRAINYARD_URL ?? "http://127.0.0.1:8700";

export default defineConfig({
  plugins: [react(), themeVariables()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: { target: "es2023", modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  server: { proxy: { "/api": api, "/readyz": api, "/healthz": api, "/config.json": api } },
  test: { environment: "node", restoreMocks: true, include: ["src/**/*.test.{ts,tsx}"] },
});
