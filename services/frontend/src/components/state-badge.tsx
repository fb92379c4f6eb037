import type { JobState } from "@/api/generated";
import { STATE_NAMES } from "@/api/states";
import styles from "./state-badge.module.css";

/** A state by word, colour and shape. */
export function StateBadge({ state, cancelling = false }: { state: JobState; cancelling?: boolean }) {
  return (
    <span className={`${styles.badge} ${styles[state] ?? ""}`}>
      <span className={styles.mark} aria-hidden="true" />
      {cancelling ? "Cancelling" : STATE_NAMES[state]}
    </span>
  );
}
