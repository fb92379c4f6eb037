import type { IconName } from "@/components/icon";

export interface Place {
  to: "/" | "/jobs" | "/compare" | "/datasets" | "/models" | "/cluster" | "/submit";
  label: string;
  icon: IconName;
  /** Pressed after "g". */
  key: string;
}

/** The places of the portal, in the order of the navigation. */
export const PLACES: Place[] = [
  { to: "/", label: "Home", icon: "home", key: "h" },
  { to: "/jobs", label: "Jobs", icon: "jobs", key: "j" },
  { to: "/compare", label: "Compare", icon: "compare", key: "c" },
  { to: "/models", label: "Models", icon: "model", key: "m" },
  { to: "/datasets", label: "Data sets", icon: "data", key: "d" },
  { to: "/cluster", label: "Cluster", icon: "cluster", key: "r" },
];
