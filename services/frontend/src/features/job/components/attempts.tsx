import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { AttemptView } from "@/api/generated";
import { Fetched } from "@/components/fetched";
import { Ago, Span } from "@/components/moment";
import { Empty, Panel } from "@/components/page";
import { plainText } from "@/lib/ansi";
import { attemptsQuery } from "../api/queries";
import styles from "./attempts.module.css";
import { Happenings } from "./happenings";
import { Stacks } from "./stacks";

/** What a kind of failure is called, and who pays for trying again. */
const FAILURES: Record<string, string> = {
  user: "the program's error",
  infrastructure: "lost machine or process; the retry is free",
  out_of_memory: "out of memory",
  hung: "hung; the retry is free",
};

/** Each try, newest first, with why it ended; and what happened all along. */
export function Attempts({ jobId, active }: { jobId: string; active: boolean }) {
  const query = useQuery(attemptsQuery(jobId, active));
  return (
    <div className={styles.parts}>
      <AttemptList jobId={jobId} query={query} />
      <Happenings jobId={jobId} active={active} />
    </div>
  );
}

function AttemptList({ jobId, query }: { jobId: string; query: UseQueryResult<AttemptView[]> }) {
  return (
    <Panel flush>
      <Fetched query={query} what="attempts">
        {(attempts) =>
          attempts.length ? (
            <ol className={styles.attempts}>
              {attempts.toReversed().map((attempt) => (
                <Attempt key={attempt.number} jobId={jobId} attempt={attempt} />
              ))}
            </ol>
          ) : (
            <Empty title="Not started yet">The first attempt begins when there is room for it.</Empty>
          )
        }
      </Fetched>
    </Panel>
  );
}

function Attempt({ jobId, attempt }: { jobId: string; attempt: AttemptView }) {
  return (
    <li>
      <div className={styles.head}>
        <h2>Attempt {attempt.number}</h2>
        <span className={styles.outcome} data-outcome={attempt.outcome ?? "running"}>
          {attempt.outcome ?? "running"}
        </span>
        <span className={styles.kind}>{attempt.workers === 1 ? "1 worker" : `${attempt.workers} workers`}</span>
        {attempt.failure_kind && <span className={styles.kind}>{FAILURES[attempt.failure_kind] ?? attempt.failure_kind}</span>}
        <span className={styles.when}>
          <Ago moment={attempt.created_at} />, took <Span from={attempt.created_at} to={attempt.finished_at} />
        </span>
        <Link
          to="/jobs/$jobId"
          params={{ jobId }}
          search={{ tab: "logs", attempt: attempt.number, rank: attempt.failed_rank === null ? undefined : String(attempt.failed_rank) }}
        >
          Logs
        </Link>
      </div>
      {attempt.reason && <p>{attempt.reason}</p>}
      {attempt.tail && attempt.tail.length > 0 && (
        <details>
          <summary>{attempt.failed_rank === null ? "Last lines" : `Last lines of rank ${attempt.failed_rank}`}</summary>
          <pre tabIndex={0}>{attempt.tail.map(plainText).join("\n")}</pre>
        </details>
      )}
      {attempt.failure_kind === "hung" && <Stacks jobId={jobId} attempt={attempt.number} />}
    </li>
  );
}
