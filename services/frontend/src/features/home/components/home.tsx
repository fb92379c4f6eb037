import { Button } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { messageOf } from "@/api/problem";
import { capacityQuery, jobsQuery } from "@/api/queries";
import { ACTIVE_STATES } from "@/api/states";
import { Fetched } from "@/components/fetched";
import { JobLines } from "@/components/job-lines";
import { LinkButton } from "@/components/link-button";
import { notifyFailed } from "@/components/notices";
import { Empty, Page, Panel } from "@/components/page";
import { formatNumber, plural } from "@/lib/format";
import { runSample } from "../api/run-sample";
import styles from "./home.module.css";

const SHOWN = 6;

/** What runs, what ended lately, and the first steps for a newcomer. */
export function Home() {
  const all = useQuery(jobsQuery({ limit: 1 }));
  const newcomer = all.data?.items.length === 0;
  return (
    <Page
      title={newcomer ? "Welcome to Trainyard" : "Home"}
      windowTitle="Home"
      lead={newcomer ? "Train PyTorch models on as many workers as you like, watch them live, and keep what they learn." : undefined}
    >
      <Fetched query={all} what="jobs">
        {() => (newcomer ? <FirstSteps /> : <Overview />)}
      </Fetched>
    </Page>
  );
}

function Overview() {
  const active = useQuery(jobsQuery({ state: ACTIVE_STATES, limit: SHOWN }));
  const failed = useQuery(jobsQuery({ state: ["FAILED"], limit: 3 }));
  const done = useQuery(jobsQuery({ state: ["SUCCEEDED"], limit: SHOWN }));
  const capacity = useQuery(capacityQuery);
  const free = capacity.data;
  return (
    <div className={styles.overview}>
      <div className={styles.main}>
        <Panel
          flush
          title="Now"
          aside={
            <Link to="/jobs" search={{ state: ACTIVE_STATES }}>
              All active
            </Link>
          }
        >
          <Fetched query={active} what="active jobs">
            {(page) =>
              page.items.length ? (
                <JobLines jobs={page.items} />
              ) : (
                <Empty title="Nothing runs" action={<RunSample />}>
                  {free
                    ? `${plural(free.cpus_free, "CPU")}${free.gpus ? ` and ${plural(free.gpus_free, "GPU")}` : ""} are free.`
                    : undefined}
                </Empty>
              )
            }
          </Fetched>
        </Panel>
        <Panel
          flush
          title="Finished lately"
          aside={
            <Link to="/jobs" search={{ state: ["SUCCEEDED"] }}>
              All succeeded
            </Link>
          }
        >
          <Fetched query={done} what="finished jobs">
            {(page) =>
              page.items.length ? <JobLines jobs={page.items} /> : <Empty title="Nothing yet">Jobs that succeed are listed here.</Empty>
            }
          </Fetched>
        </Panel>
      </div>
      <div className={styles.side}>
        {failed.data && failed.data.items.length > 0 && (
          <Panel
            flush
            title="Failed lately"
            aside={
              <Link to="/jobs" search={{ state: ["FAILED"] }}>
                All failed
              </Link>
            }
          >
            <JobLines jobs={failed.data.items} />
          </Panel>
        )}
        {free && (
          <Panel title="Room" aside={<Link to="/cluster">Cluster</Link>}>
            <ul className={styles.room}>
              <Gauge label="CPUs" free={free.cpus_free} all={free.cpus} />
              {free.gpus > 0 && <Gauge label="GPUs" free={free.gpus_free} all={free.gpus} />}
              <Gauge label="GiB memory" free={free.memory_gb_free} all={free.memory_gb} />
            </ul>
          </Panel>
        )}
      </div>
    </div>
  );
}

function Gauge({ label, free, all }: { label: string; free: number; all: number }) {
  const used = all > 0 ? 1 - free / all : 0;
  return (
    <li>
      <span>
        {label}{" "}
        <span className="faint">
          {formatNumber(free)} of {formatNumber(all)} free
        </span>
      </span>
      <span className={styles.gauge} aria-hidden="true">
        <span style={{ width: `${Math.round(100 * used)}%` }} />
      </span>
    </li>
  );
}

function FirstSteps() {
  return (
    <ol className={styles.steps}>
      <li>
        <h2>Train the sample</h2>
        <p>A small network learns 1,797 handwritten digits on two workers. It takes about a minute, and you can watch every part of it.</p>
        <RunSample />
      </li>
      <li>
        <h2>Run your own script</h2>
        <p>Anything that runs under torchrun runs here unchanged: drop the folder, say how many workers, submit.</p>
        <LinkButton variant="default" to="/submit" search={{ template: "script" }}>
          Bring a script
        </LinkButton>
      </li>
      <li>
        <h2>Train on your data</h2>
        <p>A table as CSV or Parquet, or images in folders: a ready trainer does the rest.</p>
        <LinkButton variant="default" to="/submit" search={{ template: "tabular" }}>
          Bring a table
        </LinkButton>
      </li>
    </ol>
  );
}

function RunSample() {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const capacity = useQuery(capacityQuery);
  const run = useMutation({
    mutationFn: () => runSample(capacity.data?.cpus ?? 1),
    onSuccess: (job) => {
      void queries.invalidateQueries({ queryKey: ["jobs"] });
      void navigate({ to: "/jobs/$jobId", params: { jobId: job.id } });
    },
    onError: (error) => notifyFailed(messageOf(error)),
  });
  return (
    <Button loading={run.isPending} onClick={() => run.mutate()}>
      Run the sample job
    </Button>
  );
}
