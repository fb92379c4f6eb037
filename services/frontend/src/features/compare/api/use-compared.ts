import { QueriesObserver, type QueryObserverOptions, type QueryObserverResult, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import type { ComparedJobView } from "@/api/generated";
import type { Compared } from "@/lib/compare";
import { comparedQuery } from "./queries";

/** Answers that come within this time are shown together: two hundred jobs would otherwise be drawn two hundred times. */
const PAUSE_MS = 100;

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
  const answers = useAnswers(`${ids.join(" ")}\n${points}`, () => ids.map((id) => comparedQuery(id, points)));
  return useMemo(() => combine(answers), [answers]);
}

function combine(answers: readonly QueryObserverResult[]): ComparedJobs {
  const here = answers.filter((answer) => !answer.isPending).length;
  return {
    jobs: answers.flatMap((answer): Compared[] => {
      const found = answer.data as ComparedJobView | undefined;
      return found ? [{ id: found.job.id, name: found.job.name, parameters: found.job.parameters, series: found.series }] : [];
    }),
    part: answers.length ? here / answers.length : 1,
    problem: answers.find((answer) => answer.isError && answer.data === undefined)?.error ?? null,
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
