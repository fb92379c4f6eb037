import { useQuery } from "@tanstack/react-query";
import { Fetched } from "@/components/fetched";
import { Ago } from "@/components/moment";
import { Panel } from "@/components/page";
import { happenings } from "@/lib/happenings";
import { eventsQuery } from "../api/queries";
import styles from "./happenings.module.css";

/** The job's history in sentences, newest first. */
export function Happenings({ jobId, active }: { jobId: string; active: boolean }) {
  const query = useQuery(eventsQuery(jobId, active));
  return (
    <Panel title="What happened" flush>
      <Fetched query={query} what="events">
        {(events) => (
          <ol className={styles.list}>
            {happenings(events)
              .toReversed()
              .map((one) => (
                <li key={one.id} data-tone={one.tone}>
                  <span>{one.text}</span>
                  <span className={styles.when}>
                    {one.attempt > 0 && `attempt ${one.attempt}, `}
                    <Ago moment={one.time} />
                  </span>
                </li>
              ))}
          </ol>
        )}
      </Fetched>
    </Panel>
  );
}
