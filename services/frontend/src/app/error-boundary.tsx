import { Button } from "@mantine/core";
import { Component, type ReactNode } from "react";
import { ProblemBox } from "@/components/page";
import styles from "./error-boundary.module.css";

/** The last resort: what a page that broke shows instead of nothing. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { error: unknown }> {
  override state: { error: unknown } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    return this.state.error === null ? this.props.children : <PageBroke error={this.state.error} />;
  }
}

/** A page that could not be shown. */
export function PageBroke({ error }: { error: unknown }) {
  return (
    <div className={styles.broke}>
      <h1>This page broke</h1>
      <p>Your jobs are not affected. Loading the page again usually helps; if it does not, the words below are what a bug report needs.</p>
      <ProblemBox error={error} />
      <Button onClick={() => window.location.reload()}>Load again</Button>
    </div>
  );
}
