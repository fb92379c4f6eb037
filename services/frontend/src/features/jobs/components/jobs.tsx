import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { cancelJobs, useJobsAction } from "@/api/actions";
import { jobsPageQuery } from "@/api/queries";
import { messageOf } from "@/api/problem";
import { isActive } from "@/api/states";
import { Confirm } from "@/components/confirm";
import { Fetched } from "@/components/fetched";
import { Icon } from "@/components/icon";
import { LinkButton } from "@/components/link-button";
import { useNow } from "@/components/moment";
import { notifyDone, notifyFailed } from "@/components/notices";
import { Empty, Page, Panel } from "@/components/page";
import { plural } from "@/lib/format";
import { MINUTE_MS } from "@/lib/period";
import { jobsInAddress, type JobsSearch } from "@/lib/search";
import { Filters } from "./filters";
import { JobsTable } from "./jobs-table";
import styles from "./jobs.module.css";

const route = getRouteApi("/jobs");

/** The list of jobs: everything that narrows it down is in the address. */
export function Jobs() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [asking, setAsking] = useState(false);
  const cancel = useJobsAction(cancelJobs);
  const query = useQuery(jobsPageQuery(search, useNow(MINUTE_MS)));

  const change = (next: Partial<JobsSearch>) => {
    setChosen(new Set());
    void navigate({ search: (previous) => ({ ...previous, cursor: undefined, ...next }), replace: !("cursor" in next) });
  };
  const shown = query.data?.items ?? [];
  const picked = shown.filter((job) => chosen.has(job.id));
  const cancellable = picked.filter((job) => isActive(job) && !job.cancel_requested);
  const filtered = Object.keys(search).some((key) => key !== "sort" && key !== "cursor");

  return (
    <Page
      title="Jobs"
      actions={
        picked.length > 0 && (
          <>
            <span className={styles.picked}>{plural(picked.length, "job")} selected</span>
            {picked.length > 1 && (
              <LinkButton variant="default" to="/compare" search={{ jobs: jobsInAddress(picked.map((job) => job.id)) }}>
                Compare
              </LinkButton>
            )}
            <Button variant="default" disabled={cancellable.length === 0} onClick={() => setAsking(true)}>
              Cancel {plural(cancellable.length, "job")}
            </Button>
          </>
        )
      }
    >
      <Filters search={search} onChange={change} />
      <Panel flush>
        <Fetched query={query} what="list of jobs">
          {(page) =>
            page.items.length ? (
              <JobsTable
                jobs={page.items}
                sort={search.sort ?? "-created_at"}
                onSort={(sort) => change({ sort })}
                chosen={chosen}
                onChoose={setChosen}
                stale={query.isPlaceholderData}
              />
            ) : filtered ? (
              <Empty
                title="No job matches"
                action={
                  <Button variant="default" onClick={() => void navigate({ search: {} })}>
                    Show all jobs
                  </Button>
                }
              >
                Nothing in the list fits these filters.
              </Empty>
            ) : (
              <Empty title="No jobs yet" action={<LinkButton to="/submit">New job</LinkButton>}>
                What you submit appears here the moment it is accepted.
              </Empty>
            )
          }
        </Fetched>
      </Panel>
      {(search.cursor || query.data?.next_cursor) && (
        <nav aria-label="Pages" className={styles.pages}>
          <Button
            variant="default"
            disabled={!search.cursor}
            onClick={() => window.history.back()}
            leftSection={
              <span className={styles.flipped}>
                <Icon name="chevron" size={16} />
              </span>
            }
          >
            Back
          </Button>
          {search.cursor && (
            <Button variant="subtle" onClick={() => change({})}>
              First page
            </Button>
          )}
          <Button
            variant="default"
            disabled={!query.data?.next_cursor || query.isPlaceholderData}
            onClick={() => change({ cursor: query.data?.next_cursor ?? undefined })}
            rightSection={<Icon name="chevron" size={16} />}
          >
            More
          </Button>
        </nav>
      )}
      <Confirm
        opened={asking}
        title={`Cancel ${plural(cancellable.length, "job")}?`}
        act={`Cancel ${plural(cancellable.length, "job")}`}
        onClose={() => setAsking(false)}
        onConfirm={() =>
          cancel.mutate(
            cancellable.map((job) => job.id),
            {
              onSuccess: () => notifyDone(`${plural(cancellable.length, "job")} will stop.`),
              onError: (error) => notifyFailed(messageOf(error)),
              onSettled: () => setChosen(new Set()),
            },
          )
        }
      >
        <p>Their training stops now. Logs, metrics and checkpoints stay.</p>
      </Confirm>
    </Page>
  );
}
