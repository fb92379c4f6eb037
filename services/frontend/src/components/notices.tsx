/** Short messages about what was just done. They stand in the page's flow above its content, so that they cover nothing. */
import { createStore, useStore } from "@/lib/store";
import { Icon } from "./icon";
import styles from "./notices.module.css";

interface Notice {
  id: number;
  text: string;
  tone: "done" | "failed";
}

const LASTS_MS = 6000;
const notices = createStore<readonly Notice[]>([]);
let nextId = 1;

function dismiss(id: number): void {
  notices.set(notices.get().filter((notice) => notice.id !== id));
}

/** Say that something was done; goes away by itself. */
export function notifyDone(text: string): void {
  const id = nextId++;
  notices.set([...notices.get(), { id, text, tone: "done" }]);
  setTimeout(() => dismiss(id), LASTS_MS);
}

/** Say that something failed; stays until it is dismissed. */
export function notifyFailed(text: string): void {
  notices.set([...notices.get(), { id: nextId++, text, tone: "failed" }]);
}

export function Notices() {
  return (
    <div role="status" aria-live="polite" className={styles.notices}>
      {useStore(notices).map((notice) => (
        <div key={notice.id} className={`${styles.notice} ${styles[notice.tone] ?? ""}`}>
          <Icon name={notice.tone === "done" ? "check" : "alert"} size={16} />
          <span>{notice.text}</span>
          <button type="button" aria-label="Dismiss" onClick={() => dismiss(notice.id)}>
            <Icon name="close" size={14} />
          </button>
        </div>
      ))}
    </div>
  );
}
