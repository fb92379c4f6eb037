import { useQueries } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { jobQuery } from "@/api/queries";
import { isActive } from "@/api/states";
import { CopyButton } from "@/components/copy-button";
import { Empty, Loading, Page, Panel, ProblemBox } from "@/components/page";
import { commonMetrics, type Compared } from "@/lib/compare";
import type { CompareSearch } from "@/lib/search";
import { comparedMetricsQuery } from "../api/queries";
import { ComparedCurves } from "./compared-curves";
import { ComparedTable } from "./compared-table";
import { JobPicker } from "./job-picker";

const route = getRouteApi("/compare");
/** Points of all curves of a chart together; beyond that, drawing would not be instant. */
const POINTS = 60_000;

/** Jobs side by side. The address holds the whole view: sent to somebody, it shows them the same. */
export function Compare() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const ids = search.jobs ?? [];
  const change = (next: Partial<CompareSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true, resetScroll: false });
  const points = Math.max(50, Math.min(1000, Math.floor(POINTS / Math.max(1, ids.length))));
  const jobs = useQueries({ queries: ids.map(jobQuery) });
  const metrics = useQueries({
    queries: ids.map((id, index) => comparedMetricsQuery(id, points, jobs[index]?.data ? isActive(jobs[index].data) : false)),
  });
  const broken = [...jobs, ...metrics].find((query) => query.isError && !query.data);
  const compared = ids.flatMap((id, index): Compared[] => {
    const job = jobs[index]?.data;
    return job ? [{ id, name: job.name, parameters: job.parameters, series: metrics[index]?.data ?? [] }] : [];
  });
  const keys = commonMetrics(compared);
  const metric = search.metric && keys.includes(search.metric) ? search.metric : keys[0];

  return (
    <Page
      title="Compare"
      lead="Overlay the curves of any jobs and see in which parameters they differ."
      actions={ids.length > 0 && <CopyButton text={window.location.href} label="Copy link to this view" />}
    >
      <Panel title="Jobs">
        <JobPicker
          chosen={ids}
          names={new Map(compared.map((job) => [job.id, job.name]))}
          onChange={(next) => change({ jobs: next.length ? next : undefined })}
        />
      </Panel>
      {broken && <ProblemBox error={broken.error} title="One of the jobs could not be loaded." />}
      {ids.length === 0 ? (
        <Panel>
          <Empty title="Choose two jobs or more">Or select them in the list of jobs and press Compare.</Empty>
        </Panel>
      ) : compared.length === 0 && !broken ? (
        <Loading what="jobs" />
      ) : (
        <>
          {metric && <ComparedCurves jobs={compared} keys={keys} metric={metric} onMetric={(key) => change({ metric: key })} />}
          <ComparedTable jobs={compared} metrics={keys} sort={search.sort ?? "name"} onSort={(sort) => change({ sort })} />
        </>
      )}
    </Page>
  );
}
