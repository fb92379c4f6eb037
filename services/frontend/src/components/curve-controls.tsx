import { SegmentedControl, Switch } from "@mantine/core";
import styles from "./curve-controls.module.css";
import { Smoothing } from "./smoothing";

/** How curves are drawn. */
export interface CurveView {
  by: "step" | "time";
  log: boolean;
  smoothing: number;
}

export const FIRST_VIEW: CurveView = { by: "step", log: false, smoothing: 0 };

/** The controls that change how curves are drawn. */
export function CurveControls({ view, onChange }: { view: CurveView; onChange: (part: Partial<CurveView>) => void }) {
  return (
    <>
      <SegmentedControl
        size="xs"
        aria-label="Over"
        value={view.by}
        onChange={(value) => onChange({ by: value === "time" ? "time" : "step" })}
        data={[
          { value: "step", label: "By step" },
          { value: "time", label: "By time" },
        ]}
      />
      <Smoothing value={view.smoothing} onChange={(smoothing) => onChange({ smoothing })} />
      <Switch size="xs" label="Log scale" checked={view.log} onChange={(event) => onChange({ log: event.currentTarget.checked })} />
    </>
  );
}

/** How a chart is zoomed and moved. */
export function CurveHelp() {
  return (
    <p className={styles.help}>
      Drag to zoom, double-click for all. With Tab on a chart: <kbd>+</kbd> <kbd>−</kbd> zoom, <kbd>←</kbd> <kbd>→</kbd> move, <kbd>0</kbd>{" "}
      all.
    </p>
  );
}
