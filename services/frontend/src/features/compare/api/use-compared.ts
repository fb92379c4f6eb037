import { QueriesObserver, type QueryObserverOptions, type QueryObserverResult, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { jobQuery } from "@/api/queries";
import type { JobView } from "@/api/generated";
import { isActive } from "@/api/states";
import type { Compared } from "@/lib/compare";
import type { Series } from "@/lib/curves";
import { comparedMetricsQuery } from "./queries";

/** Answers that come within this time are shown together: two hundred jobs would otherwise be drawn two hundred times. */
const PAUSE_MS = 200;

export interface ComparedJobs {
  /** Those that are known, in the order of the ids; the same array until something changes. */
  jobs: Compared[];
  /** The part of the answers that is here, from 0 to 1. */
  part: number;
  /** Why one of them could not be had. */
  problem: unknown;
}

/** The jobs with their metrics, at most `points` a series, shown as they come and kept up to date. */
export function useCompared(ids: readonly string[], points: number): ComparedJobs {
  const [active, setActive] = useState("");
  const answers = useAnswers(`${ids.join(" ")}\n${points}\n${active}`, () => [
    ...ids.map((id) => jobQuery(id)),
    ...ids.map((id) => comparedMetricsQuery(id, points, active.split(" ").includes(id))),
  ]);
  const compared = useMemo(() => combine(answers), [answers]);
  if (compared.active !== active) setActive(compared.active);
  return compared;
}

function combine(answers: readonly QueryObserverResult[]): ComparedJobs & { active: string } {
  const count = answers.length / 2;
  const found = answers.slice(0, count).map((answer) => answer.data as JobView | undefined);
  const here = answers.filter((answer) => !answer.isPending).length;
  return {
    jobs: found.flatMap((job, index): Compared[] => {
      const series = (answers[count + index]?.data ?? []) as Series[];
      return job ? [{ id: job.id, name: job.name, parameters: job.parameters, series }] : [];
    }),
    part: answers.length ? here / answers.length : 1,
    problem: answers.find((answer) => answer.isError && answer.data === undefined)?.error ?? null,
    active: found
      .filter((job) => job && isActive(job))
      .map((job) => job?.id)
      .join(" "),
  };
}

/** The answers to several queries; `key` changes when the queries do. */
function useAnswers(key: string, queries: () => unknown[]): readonly QueryObserverResult[] {
  const client = useQueryClient();
  const [answers, setAnswers] = useState<readonly QueryObserverResult[]>([]);

  useEffect(() => {
    const observer = new QueriesObserver(client, queries() as QueryObserverOptions[]);
    let timer: ReturnType<typeof setTimeout> | undefined;
    let ended = false; // the observer's last news may come after it was left
    const show = () => {
      timer = undefined;
      setAnswers(observer.getCurrentResult());
    };
    const stop = observer.subscribe(() => {
      if (!ended) timer ??= setTimeout(show, PAUSE_MS);
    });
    show();
    return () => {
      ended = true;
      clearTimeout(timer);
      stop();
    };
  }, [client, key]); // eslint-disable-line react-hooks/exhaustive-deps -- the key stands for the queries
  return answers;
}
