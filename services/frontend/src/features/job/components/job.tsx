import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { lazy, Suspense } from "react";
import { useIsDeleting } from "@/api/actions";
import type { JobView } from "@/api/generated";
import { ApiError } from "@/api/problem";
import { jobQuery } from "@/api/queries";
import { isActive } from "@/api/states";
import { Fetched } from "@/components/fetched";
import { Icon } from "@/components/icon";
import { Ago, Span } from "@/components/moment";
import { Empty, Loading, Page } from "@/components/page";
import { StateBadge } from "@/components/state-badge";
import type { JobSearch } from "@/lib/search";
import { Actions } from "./actions";
import { Artifacts } from "./artifacts";
import { Attempts } from "./attempts";
import { Checkpoints } from "./checkpoints";
import styles from "./job.module.css";
import { Logs } from "./logs";
import { MetricsOfJob } from "./metrics-context";
import { Setup } from "./setup";
import { Timeline } from "./timeline";
import { Verdict } from "./verdict";

const Charts = lazy(() => import("./charts").then((module) => ({ default: module.Charts })));

const route = getRouteApi("/jobs/$jobId");
const TABS: [NonNullable<JobSearch["tab"]>, string][] = [
  ["charts", "Charts"],
  ["logs", "Logs"],
  ["checkpoints", "Checkpoints"],
  ["artifacts", "Artifacts"],
  ["setup", "Setup"],
  ["attempts", "Attempts"],
];

/** Everything about one job. */
export function Job() {
  const { jobId } = route.useParams();
  const deleting = useIsDeleting(jobId);
  const query = useQuery({ ...jobQuery(jobId), enabled: !deleting });
  if (query.error instanceof ApiError && query.error.status === 404) {
    return (
      <Page title="Job not found">
        <Empty title={`There is no job ${jobId}`} action={<Link to="/jobs">All jobs</Link>}>
          It may have been deleted.
        </Empty>
      </Page>
    );
  }
  if (!query.data) {
    return (
      <Page title="Job">
        <Fetched query={query} what="job">
          {() => null}
        </Fetched>
      </Page>
    );
  }
  return <JobPage key={jobId} job={query.data} />;
}

function JobPage({ job }: { job: JobView }) {
  const search = route.useSearch();
  const tab = search.tab ?? "charts";
  const active = isActive(job);
  return (
    <Page
      title={job.name}
      windowTitle={`${job.name} · ${job.state.toLowerCase()}`}
      heading={<Heading job={job} />}
      actions={<Actions job={job} />}
    >
      <MetricsOfJob jobId={job.id} active={active}>
        <Verdict job={job} />
        <Timeline job={job} />
        <div>
          <nav className={styles.tabs} aria-label="Parts of the job">
            {TABS.map(([name, label]) => (
              <Link
                key={name}
                to="/jobs/$jobId"
                params={{ jobId: job.id }}
                search={(before) => ({ ...before, path: undefined, tab: name === "charts" ? undefined : name })}
                replace
                resetScroll={false}
                activeOptions={{ exact: true, includeSearch: true }}
                activeProps={{}}
                aria-current={name === tab ? "page" : undefined}
              >
                {label}
                {name === "attempts" && job.attempt > 1 && <span className={styles.count}>{job.attempt}</span>}
              </Link>
            ))}
          </nav>
          {tab === "charts" && (
            <Suspense fallback={<Loading what="charts" />}>
              <Charts job={job} />
            </Suspense>
          )}
          {tab === "logs" && <Logs job={job} />}
          {tab === "checkpoints" && <Checkpoints job={job} />}
          {tab === "artifacts" && <Artifacts job={job} />}
          {tab === "setup" && <Setup job={job} />}
          {tab === "attempts" && <Attempts jobId={job.id} active={active} />}
        </div>
      </MetricsOfJob>
    </Page>
  );
}

function Heading({ job }: { job: JobView }) {
  return (
    <>
      <div className={styles.title}>
        <h1>{job.name}</h1>
        <StateBadge state={job.state} cancelling={job.cancel_requested && isActive(job)} />
      </div>
      <p className={styles.facts}>
        <span>{job.template}</span>
        <span>
          submitted <Ago moment={job.created_at} />
        </span>
        {job.started_at && (
          <span>
            {isActive(job) ? "running for" : "ran for"} <Span from={job.started_at} to={job.finished_at} />
          </span>
        )}
        {job.model && (
          <Link to="/models" hash={`${job.model.name}-${job.model.version}`}>
            model {job.model.name} v{job.model.version}
          </Link>
        )}
        {job.mlflow_url && (
          <a href={job.mlflow_url} target="_blank" rel="noreferrer" className={styles.out}>
            run in MLflow <Icon name="external" size={14} />
            <span className="unseen">(opens in a new tab)</span>
          </a>
        )}
      </p>
    </>
  );
}
