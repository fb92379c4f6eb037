import { type ReactNode, useEffect } from "react";
import { Button } from "@mantine/core";
import { messageOf } from "@/api/problem";
import { Icon } from "./icon";
import styles from "./page.module.css";

interface PageProps {
  title: string;
  /** What stands in the window's title, when it is not the heading. */
  windowTitle?: string;
  heading?: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

/** A page with its one heading. */
export function Page({ title, windowTitle, heading, lead, actions, children }: PageProps) {
  useEffect(() => {
    document.title = `${windowTitle ?? title} · Trainyard`;
  }, [title, windowTitle]);
  return (
    <div className={styles.page}>
      <div className={styles.head}>
        <div>
          {heading ?? <h1>{title}</h1>}
          {lead && <div className={styles.lead}>{lead}</div>}
        </div>
        {actions && <div className={styles.actions}>{actions}</div>}
      </div>
      {children}
    </div>
  );
}

interface PanelProps {
  title?: ReactNode;
  aside?: ReactNode;
  /** Without space around the content: tables and lists. */
  flush?: boolean;
  children: ReactNode;
}

/** A titled box on a page. */
export function Panel({ title, aside, flush = false, children }: PanelProps) {
  return (
    <section className={styles.panel}>
      {title && (
        <div className={styles.panelHead}>
          <h2>{title}</h2>
          {aside}
        </div>
      )}
      <div className={flush ? styles.flush : styles.panelBody}>{children}</div>
    </section>
  );
}

/** What stands where nothing is yet, and what to do about it. */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className={styles.empty}>
      <strong>{title}</strong>
      {children && <p>{children}</p>}
      {action && <div>{action}</div>}
    </div>
  );
}

/** Placeholder lines while something is on its way. */
export function Loading({ what }: { what: string }) {
  return (
    <div className={styles.loading} role="status">
      <span className="unseen">Loading {what}</span>
      <div className={styles.bone} />
      <div className={styles.bone} />
      <div className={styles.bone} />
    </div>
  );
}

/** What went wrong, in the server's words where it answered. */
export function ProblemBox({ error, title, onRetry }: { error: unknown; title?: string; onRetry?: () => void }) {
  return (
    <div className={styles.problem} role="alert">
      <Icon name="alert" />
      <div>
        {title && (
          <p>
            <strong>{title}</strong>
          </p>
        )}
        <p>{messageOf(error)}</p>
        {onRetry && (
          <p>
            <Button size="compact-sm" variant="default" onClick={onRetry}>
              Try again
            </Button>
          </p>
        )}
      </div>
    </div>
  );
}
