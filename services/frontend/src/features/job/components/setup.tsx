import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { JobView } from "@/api/generated";
import { isActive } from "@/api/states";
import { CopyButton } from "@/components/copy-button";
import { Facts } from "@/components/facts";
import { Ago } from "@/components/moment";
import { Panel } from "@/components/page";
import { formatBytes, formatSpan, plural } from "@/lib/format";
import { resourcesInWords } from "@/lib/resources";
import { eventsQuery, uploadQuery } from "../api/queries";
import styles from "./setup.module.css";

/** What was asked for: parameters, resources, code, data, tags. */
export function Setup({ job }: { job: JobView }) {
  const parameters = Object.entries(job.parameters);
  const events = useQuery(eventsQuery(job.id, isActive(job)));
  const checkpoint = events.data?.findLast((event) => event.kind === "checkpoint");
  return (
    <div className={styles.setup}>
      <Panel title="Job">
        <Facts
          items={[
            ["Id", <code key="id">{job.id}</code>],
            ["Template", job.template],
            ["Team", job.team],
            ["Resources", resourcesInWords(job.resources)],
            ["Retries", job.retries],
            ["Deadline", job.deadline_seconds ? `${formatSpan(job.deadline_seconds)} per attempt` : "none"],
            ["Submitted", <Ago key="at" moment={job.created_at} />],
            [
              "Tags",
              Object.entries(job.tags)
                .map(([key, value]) => `${key}:${value}`)
                .join(", ") || "none",
            ],
            [
              "Last checkpoint",
              checkpoint ? (
                <span key="checkpoint">
                  {checkpoint.name}, <Ago moment={checkpoint.time} />
                </span>
              ) : (
                "none"
              ),
            ],
            ["Code", job.code ? <UploadName key="code" kind="code" id={job.code} /> : "the template's own"],
            ["Data", job.data ? <UploadName key="data" kind="data" id={job.data} /> : "the template's default"],
          ]}
        />
      </Panel>
      <Panel title="Parameters" aside={<CopyButton text={JSON.stringify(job.parameters, null, 2)} label="Copy as JSON" />}>
        <Facts items={parameters.map(([name, value]) => [name, shownValue(value)])} />
      </Panel>
    </div>
  );
}

function shownValue(value: unknown): ReactNode {
  if (value === null || value === undefined || value === "") return <span className="faint">empty</span>;
  return <code>{typeof value === "string" ? value : JSON.stringify(value)}</code>;
}

function UploadName({ kind, id }: { kind: "code" | "data"; id: string }) {
  const upload = useQuery(uploadQuery(kind, id));
  const text = upload.data
    ? `${upload.data.name} (${plural(upload.data.files.length, "file")}, ${formatBytes(upload.data.size)})`
    : id.slice(0, 12);
  return (
    <>
      {kind === "data" ? <Link to="/datasets">{text}</Link> : text}
      <br />
      <code title={id}>sha256 {id.slice(0, 12)}</code>
    </>
  );
}
