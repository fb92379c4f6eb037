import { ActionIcon, Button, Select, Switch, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { type KeyboardEvent, useState, useSyncExternalStore } from "react";
import type { JobView } from "@/api/generated";
import { isActive } from "@/api/states";
import { DownloadButton } from "@/components/download-button";
import { Icon } from "@/components/icon";
import { Empty, Loading, Panel, ProblemBox } from "@/components/page";
import { formatBytes, formatNumber, plural } from "@/lib/format";
import { logSourcesQuery } from "../api/queries";
import { useLog } from "../api/use-log";
import { LogView } from "./log-view";
import styles from "./logs.module.css";

const route = getRouteApi("/jobs/$jobId");

/** The log of one rank of one attempt, live. */
export function Logs({ job }: { job: JobView }) {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const sources = useQuery(logSourcesQuery(job.id, isActive(job)));
  const attempt = search.attempt ?? job.attempt;
  const here = (sources.data ?? []).filter((source) => source.attempt === attempt);
  const ranks = [...new Set([...here.map((source) => source.rank), "0", "driver"])].sort(byRank);
  const rank = search.rank && ranks.includes(search.rank) ? search.rank : "0";
  if (job.attempt === 0) {
    return (
      <Panel>
        <Empty title="No log yet">The log begins when the job starts.</Empty>
      </Panel>
    );
  }
  const show = (next: { attempt?: number; rank?: string }) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true, resetScroll: false });
  return (
    <Panel flush>
      <LogPanel
        key={`${attempt} ${rank}`}
        job={job}
        attempt={attempt}
        rank={rank}
        selects={
          <>
            <Select
              size="xs"
              aria-label="Rank"
              className={styles.select}
              allowDeselect={false}
              data={ranks.map((value) => ({ value, label: value === "driver" ? "Driver" : `Rank ${value}` }))}
              value={rank}
              onChange={(value) => show({ rank: value ?? "0" })}
            />
            {job.attempt > 1 && (
              <Select
                size="xs"
                aria-label="Attempt"
                className={styles.select}
                allowDeselect={false}
                data={Array.from({ length: job.attempt }, (_, index) => ({ value: String(index + 1), label: `Attempt ${index + 1}` }))}
                value={String(attempt)}
                onChange={(value) => show({ attempt: Number(value) })}
              />
            )}
          </>
        }
      />
    </Panel>
  );
}

function byRank(a: string, b: string): number {
  if (a === "driver" || b === "driver") return a === b ? 0 : a === "driver" ? 1 : -1;
  return Number(a) - Number(b);
}

function LogPanel({ job, attempt, rank, selects }: { job: JobView; attempt: number; rank: string; selects: React.ReactNode }) {
  const log = useLog(job.id, attempt, rank);
  const version = useSyncExternalStore(log.lines.subscribe, log.lines.getVersion);
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const [following, setFollowing] = useState(true);
  const matches = log.lines.search(query);
  const current = matches.length ? (matches[at % matches.length] ?? null) : null;
  const move = (by: number) => {
    setFollowing(false);
    setAt((at + by + matches.length) % Math.max(1, matches.length));
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    move(event.shiftKey ? -1 : 1);
  };
  return (
    <>
      <div className={styles.bar}>
        {selects}
        <TextInput
          size="xs"
          type="search"
          aria-label="Search in the log"
          placeholder="Search"
          className={styles.search}
          leftSection={<Icon name="search" size={14} />}
          value={query}
          onKeyDown={onKey}
          onChange={(event) => {
            setQuery(event.currentTarget.value);
            setAt(0);
            if (event.currentTarget.value) setFollowing(false);
          }}
        />
        {query && (
          <span className={styles.matches} role="status">
            {matches.length ? `${formatNumber((at % matches.length) + 1)} of ${formatNumber(matches.length)}` : "no match"}
            <ActionIcon
              size="sm"
              variant="subtle"
              color="gray"
              aria-label="Previous match"
              disabled={!matches.length}
              onClick={() => move(-1)}
            >
              <span className={styles.upwards}>
                <Icon name="chevron" size={14} />
              </span>
            </ActionIcon>
            <ActionIcon size="sm" variant="subtle" color="gray" aria-label="Next match" disabled={!matches.length} onClick={() => move(1)}>
              <span className={styles.downwards}>
                <Icon name="chevron" size={14} />
              </span>
            </ActionIcon>
          </span>
        )}
        <span className={styles.space} />
        <span className={styles.count}>{plural(log.lines.count, "line")}</span>
        <Switch size="xs" label="Follow" checked={following} onChange={(event) => setFollowing(event.currentTarget.checked)} />
        <DownloadButton
          path={`/jobs/${encodeURIComponent(job.id)}/logs/download?attempt=${attempt}&rank=${encodeURIComponent(rank)}`}
          name={`${job.name}-attempt-${attempt}-rank-${rank}.log`}
        />
      </div>
      {log.problem && <ProblemBox error={log.problem} />}
      {log.earlier > 0 && (
        <div className={styles.earlier}>
          {log.progress === null ? (
            <>
              <span>This is the end of the log; {formatBytes(log.earlier)} came before.</span>
              <Button size="compact-sm" variant="default" onClick={log.loadEarlier}>
                Load all of it
              </Button>
            </>
          ) : (
            <span role="status">Loading, {Math.round(log.progress * 100)} %</span>
          )}
        </div>
      )}
      {log.loading ? (
        <Loading what="log" />
      ) : log.lines.count === 0 ? (
        <Empty title={isActive(job) ? "Nothing written yet" : "Nothing was written"}>
          {isActive(job) && "Lines appear here as the program prints them."}
        </Empty>
      ) : (
        <LogView
          lines={log.lines}
          version={version}
          query={query}
          current={current}
          following={following}
          onFollow={setFollowing}
          label={rank === "driver" ? "Log of the driver" : `Log of rank ${rank}`}
        />
      )}
    </>
  );
}
