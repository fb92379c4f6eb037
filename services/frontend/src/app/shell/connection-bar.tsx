import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { lostSince, onRecovery } from "@/api/connection";
import { useNow } from "@/components/moment";
import { formatAgo } from "@/lib/format";
import { useStore } from "@/lib/store";
import styles from "./connection-bar.module.css";

/** While the server does not answer: says so, and how old what is shown is. Everything is asked for anew when it answers again. */
export function ConnectionBar() {
  const since = useStore(lostSince);
  const queries = useQueryClient();
  useEffect(() => onRecovery(() => void queries.invalidateQueries()), [queries]);
  return <div role="status">{since !== null && <Lost since={since} />}</div>;
}

function Lost({ since }: { since: number }) {
  const now = useNow();
  return (
    <div className={styles.bar}>
      <span className={styles.dot} aria-hidden="true" />
      <span>
        <strong>Not connected.</strong> What you see was known {formatAgo(new Date(since).toISOString(), now)}. Jobs go on without this
        page; it catches up by itself.
      </span>
    </div>
  );
}
