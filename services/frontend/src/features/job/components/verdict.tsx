import { useQuery } from "@tanstack/react-query";
import type { JobView } from "@/api/generated";
import { capacityQuery } from "@/api/queries";
import { isActive } from "@/api/states";
import { Icon } from "@/components/icon";
import { plainText } from "@/lib/ansi";
import { sentence } from "@/lib/format";
import { resumeInWords } from "@/lib/happenings";
import { shortage } from "@/lib/resources";
import { attemptsQuery, eventsQuery } from "../api/queries";
import { Progress } from "./progress";
import styles from "./verdict.module.css";

/** Why the job waits or why it failed, in one sentence with the evidence below; how far it is while it runs. */
export function Verdict({ job }: { job: JobView }) {
  if (job.state === "FAILED") return <Failed job={job} />;
  if (job.state === "RETRYING") return <Failed job={job} again />;
  if (job.state === "QUEUED") return <Waits job={job} />;
  if (job.state === "RUNNING" || job.state === "STARTING" || job.state === "SUCCEEDED")
    return (
      <>
        <Progress job={job} />
        <Noted job={job} />
      </>
    );
  return job.reason ? <p className={styles.plain}>{sentence(job.reason)}</p> : null;
}

/** From where the latest attempt went on, and what the trainer noted in it. */
function Noted({ job }: { job: JobView }) {
  const events = useQuery(eventsQuery(job.id, isActive(job)));
  const here = (events.data ?? []).filter((event) => event.attempt === job.attempt);
  const said = here.flatMap((event) => resumeInWords(event) ?? (event.kind === "notice" ? sentence(event.name) : []));
  if (said.length === 0) return null;
  return (
    <ul className={styles.noted} aria-label="Noted">
      {said.map((text, index) => (
        <li key={index}>{text}</li>
      ))}
    </ul>
  );
}

function Failed({ job, again = false }: { job: JobView; again?: boolean }) {
  const attempts = useQuery(attemptsQuery(job.id, isActive(job)));
  const last = attempts.data?.findLast((attempt) => attempt.outcome === "failed");
  return (
    <section
      className={`${styles.box} ${again ? styles.waiting : styles.failed}`}
      aria-label={again ? "Why it is tried again" : "Why it failed"}
    >
      <p className={styles.sentence}>
        <Icon name="alert" />
        <span>
          {sentence(job.reason ?? last?.reason ?? "The job failed and left no reason.")}
          {again && ` Attempt ${job.attempt + 1} of ${job.retries + 1} starts in a moment.`}
        </span>
      </p>
      {last?.tail && last.tail.length > 0 && (
        <figure className={styles.evidence}>
          <figcaption>
            {last.failed_rank === null ? "Last lines of the driver's log" : `Last lines of rank ${last.failed_rank}, which failed first`}
          </figcaption>
          <pre tabIndex={0}>{last.tail.map(plainText).join("\n")}</pre>
        </figure>
      )}
    </section>
  );
}

function Waits({ job }: { job: JobView }) {
  const capacity = useQuery(capacityQuery);
  const free = capacity.data && { cpus: capacity.data.cpus_free, gpus: capacity.data.gpus_free, memory_gb: capacity.data.memory_gb_free };
  const missing = free ? shortage(job.resources, free) : null;
  const why = job.reason
    ? sentence(job.reason)
    : missing
      ? `It starts when there is room: it ${missing.replace("there", "free now")}.`
      : "It is next: the controller is about to start it.";
  return (
    <section className={`${styles.box} ${styles.waiting}`} aria-label="Why it waits">
      <p className={styles.sentence}>
        <span>{why}</span>
      </p>
    </section>
  );
}
