import { useNavigate } from "@tanstack/react-router";
import { lazy, Suspense, useEffect } from "react";
import { createStore, useStore } from "@/lib/store";
import { PLACES } from "./navigation";

const KeyboardHelp = lazy(() => import("./keyboard-help").then((module) => ({ default: module.KeyboardHelp })));

const KEY = "trainyard-shortcuts";
const SEQUENCE_MS = 1200;

const enabled = createStore(localStorageGet() !== "off");
export const helpOpened = createStore(false);

function localStorageGet(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function setEnabled(on: boolean): void {
  enabled.set(on);
  try {
    localStorage.setItem(KEY, on ? "on" : "off");
  } catch {
    // storage is switched off: the choice lasts as long as the page
  }
}

function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));
}

/** Single keys that go places; they can be switched off, and do nothing while something is typed. */
export function Shortcuts() {
  const navigate = useNavigate();
  const on = useStore(enabled);
  const opened = useStore(helpOpened);

  useEffect(() => {
    let leaderAt = 0;
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || !on || helpOpened.get()) return;
      const recent = Date.now() - leaderAt < SEQUENCE_MS;
      leaderAt = 0;
      const place = recent && PLACES.find(({ key }) => key === event.key);
      if (place) void navigate({ to: place.to });
      else if (event.key === "g") leaderAt = Date.now();
      else if (event.key === "n") void navigate({ to: "/submit" });
      else if (event.key === "?") helpOpened.set(true);
      else if (event.key === "/") {
        const search = document.querySelector<HTMLInputElement>("input[type=search]");
        if (!search) return;
        search.focus();
      } else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [navigate, on]);

  return (
    opened && (
      <Suspense>
        <KeyboardHelp on={on} onSwitch={setEnabled} onClose={() => helpOpened.set(false)} />
      </Suspense>
    )
  );
}
