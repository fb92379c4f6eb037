import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import type { JobRequest, Preview } from "@/api/generated";
import { ApiError } from "@/api/problem";
import { capacityQuery } from "@/api/queries";
import { formatNumber, sentence } from "@/lib/format";
import { useSettled } from "@/lib/use-settled";
import { previewQuery } from "../api/preview";
import styles from "./verdict.module.css";

const UNITS = [
  ["cpus", "cpus_free", "CPUs"],
  ["gpus", "gpus_free", "GPUs"],
  ["memory_gb", "memory_gb_free", "GiB memory"],
] as const;
const SAID: Record<Preview["verdict"], (reason: string) => string> = {
  starts_now: (reason) => sentence(`Starts now: ${reason}`),
  waits: (reason) => sentence(`Waits: ${reason}`),
  never: sentence,
};
const PAUSE_MS = 400;

interface VerdictProps {
  body: JobRequest;
  /** Whether the answers are good enough to be asked about. */
  complete: boolean;
  /** Told what the server finds wrong with the answers; null when it finds nothing. */
  onProblem: (error: ApiError | null) => void;
}

/** What is free now, and what the server says would become of this job. */
export function Verdict({ body, complete, onProblem }: VerdictProps) {
  const capacity = useQuery(capacityQuery);
  const text = JSON.stringify(body);
  const settled = useSettled(text, PAUSE_MS);
  const preview = useQuery({ ...previewQuery(JSON.parse(settled) as JobRequest), enabled: complete && settled === text });
  const refused = preview.error instanceof ApiError && preview.error.status === 422 ? preview.error : null;
  const known = preview.isFetched && !preview.isPlaceholderData;
  useEffect(() => {
    if (refused) onProblem(refused);
    else if (known) onProblem(null);
  }, [refused, known, onProblem]);

  const now = capacity.data;
  return (
    <div className={styles.verdict}>
      {now ? (
        <dl className={styles.free}>
          {UNITS.filter(([name]) => now[name] > 0).map(([name, field, unit]) => (
            <div key={name}>
              <dt>{unit} free</dt>
              <dd>
                {formatNumber(now[field])} <span>of {formatNumber(now[name])}</span>
              </dd>
            </div>
          ))}
        </dl>
      ) : (
        <p className={styles.unknown}>What is free is not known yet.</p>
      )}
      <div role="status" className={styles.said}>
        {!complete ? (
          <p className={styles.unknown}>When it would start is said here once the answers are complete.</p>
        ) : refused ? (
          <p className={styles.unknown}>One answer needs another look.</p>
        ) : preview.data ? (
          <p className={styles.text} data-verdict={preview.data.verdict}>
            {SAID[preview.data.verdict](preview.data.reason)}
          </p>
        ) : (
          <p className={styles.unknown}>{preview.isError ? "When it would start cannot be told now." : "Asking when it would start …"}</p>
        )}
      </div>
    </div>
  );
}
