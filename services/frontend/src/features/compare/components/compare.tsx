import { getRouteApi } from "@tanstack/react-router";
import { lazy, Suspense, useMemo } from "react";
import { CopyButton } from "@/components/copy-button";
import type { CurveView } from "@/components/curve-controls";
import { Empty, Loading, Page, Panel, ProblemBox } from "@/components/page";
import { commonMetrics } from "@/lib/compare";
import { axisOf, type Brushes, brushesAsTexts, brushesOf, columnsOf, firstColumns, isPicked } from "@/lib/parallel";
import { type CompareSearch, jobsInAddress, jobsOfAddress } from "@/lib/search";
import { useCompared } from "../api/use-compared";
import { ComparedTable } from "./compared-table";
import { JobPicker } from "./job-picker";

const ComparedCurves = lazy(() => import("./compared-curves").then((module) => ({ default: module.ComparedCurves })));
const Parallel = lazy(() => import("./parallel").then((module) => ({ default: module.Parallel })));

const route = getRouteApi("/compare");
/** Points of all curves of a chart together; beyond that, drawing would not be instant. */
const POINTS = 60_000;
/** So many jobs take long enough to say how far they are. */
const MANY = 20;

/** Jobs side by side. The address holds the whole view: sent to somebody, it shows them the same. */
export function Compare() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const ids = jobsOfAddress(search.jobs);
  const change = (next: Partial<CompareSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true, resetScroll: false });
  const points = Math.max(50, Math.min(1000, Math.floor(POINTS / Math.max(1, ids.length))));
  const { jobs, part, problem } = useCompared(ids, points);
  const keys = useMemo(() => commonMetrics(jobs), [jobs]);
  const metric = search.metric && keys.includes(search.metric) ? search.metric : keys[0];
  const columns = useMemo(() => columnsOf(jobs, keys), [jobs, keys]);
  const wanted = search.axes?.join("\n");
  const axes = useMemo(() => {
    const shown = wanted?.split("\n").filter((column) => columns.includes(column)) ?? firstColumns(columns);
    return shown.map((column) => axisOf(jobs, column)).filter((axis) => axis !== null);
  }, [jobs, columns, wanted]);
  const brushed = (search.brush ?? []).join("\n");
  const brushes = useMemo(() => brushesOf(brushed.split("\n")), [brushed]);
  const picked = useMemo(() => new Set(jobs.filter((job) => isPicked(job, axes, brushes)).map((job) => job.id)), [jobs, axes, brushes]);
  const setBrushes = (next: Brushes) => {
    const texts = brushesAsTexts(next);
    change({ brush: texts.length ? texts : undefined });
  };
  const view: CurveView = { by: search.by ?? "step", log: search.log ?? false, smoothing: search.smoothing ?? 0 };
  const setView = (part: Partial<CurveView>) => {
    const next = { ...view, ...part };
    change({ by: next.by === "time" ? "time" : undefined, log: next.log || undefined, smoothing: next.smoothing || undefined });
  };

  return (
    <Page
      title="Compare"
      lead="Overlay the curves of any jobs, and see which parameters lead to which results."
      actions={ids.length > 0 && <CopyButton text={window.location.href} label="Copy link to this view" />}
    >
      <Panel title="Jobs">
        <JobPicker
          chosen={ids}
          names={new Map(jobs.map((job) => [job.id, job.name]))}
          onChange={(next) => change({ jobs: jobsInAddress(next) })}
        />
      </Panel>
      {problem !== null && <ProblemBox error={problem} title="One of the jobs could not be loaded." />}
      {ids.length === 0 ? (
        <Panel>
          <Empty title="Choose two jobs or more">Or select them in the list of jobs and press Compare.</Empty>
        </Panel>
      ) : jobs.length === 0 && problem === null ? (
        <Loading what="jobs" />
      ) : (
        <Suspense fallback={<Loading what="charts" />}>
          {ids.length > MANY && part < 1 && (
            <p role="status" className="faint small">
              {Math.round(100 * part)} % of the answers are here.
            </p>
          )}
          {metric && (
            <ComparedCurves
              jobs={jobs}
              picked={picked}
              keys={keys}
              metric={metric}
              onMetric={(key) => change({ metric: key })}
              view={view}
              onView={setView}
            />
          )}
          {jobs.length > 1 && columns.length > 0 && (
            <Parallel
              jobs={jobs}
              picked={picked}
              axes={axes}
              columns={columns}
              onAxes={(next) => change({ axes: next })}
              brushes={brushes}
              onBrushes={setBrushes}
            />
          )}
          <ComparedTable jobs={jobs} picked={picked} metrics={keys} sort={search.sort ?? "name"} onSort={(sort) => change({ sort })} />
        </Suspense>
      )}
    </Page>
  );
}
