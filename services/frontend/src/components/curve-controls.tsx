import { SegmentedControl, Switch } from "@mantine/core";
import { useState } from "react";
import { Smoothing } from "./smoothing";

/** How curves are drawn. */
export interface CurveView {
  by: "step" | "time";
  log: boolean;
  smoothing: number;
}

/** The view, and the controls that change it. */
export function useCurveView(): [CurveView, React.ReactNode] {
  const [view, setView] = useState<CurveView>({ by: "step", log: false, smoothing: 0 });
  const change = (part: Partial<CurveView>) => setView((before) => ({ ...before, ...part }));
  const controls = (
    <>
      <SegmentedControl
        size="xs"
        aria-label="Over"
        value={view.by}
        onChange={(value) => change({ by: value === "time" ? "time" : "step" })}
        data={[
          { value: "step", label: "By step" },
          { value: "time", label: "By time" },
        ]}
      />
      <Smoothing value={view.smoothing} onChange={(smoothing) => change({ smoothing })} />
      <Switch size="xs" label="Log scale" checked={view.log} onChange={(event) => change({ log: event.currentTarget.checked })} />
    </>
  );
  return [view, controls];
}
