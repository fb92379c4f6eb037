import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import type { JobView } from "@/api/generated";
import { CopyButton } from "@/components/copy-button";
import { DownloadButton } from "@/components/download-button";
import { Facts } from "@/components/facts";
import { Ago } from "@/components/moment";
import { Panel } from "@/components/page";
import { formatBytes, formatNumber, formatSpan, plural } from "@/lib/format";
import { resourcesInWords } from "@/lib/resources";
import { uploadQuery } from "../api/queries";
import styles from "./setup.module.css";

/** What was asked for: parameters, resources, code, data, tags. */
export function Setup({ job }: { job: JobView }) {
  const parameters = Object.entries(job.parameters);
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
            ["Checkpoints", checkpointsInWords(job.checkpoints)],
            ...(job.resume ? [["Started from", <Source key="resume" resume={job.resume} />] as [string, ReactNode]] : []),
            ...(job.image ? [["Image", <code key="image">{job.image}</code>] as [string, ReactNode]] : []),
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

function checkpointsInWords(policy: JobView["checkpoints"]): string {
  if (!policy) return "the newest 2 stay";
  const newest = policy.keep === 1 ? "the newest stays" : `the newest ${policy.keep} stay`;
  return policy.best_metric
    ? `${newest}, and the one with the ${policy.best_mode === "max" ? "highest" : "lowest"} ${policy.best_metric}`
    : newest;
}

function Source({ resume }: { resume: NonNullable<JobView["resume"]> }) {
  return (
    <>
      step {formatNumber(resume.step)} of{" "}
      <Link to="/jobs/$jobId" params={{ jobId: resume.job }}>
        {resume.job}
      </Link>
    </>
  );
}

function UploadName({ kind, id }: { kind: "code" | "data"; id: string }) {
  const upload = useQuery(uploadQuery(kind, id));
  const found = upload.data;
  const text = found ? `${found.name} (${plural(found.files.length, "file")}, ${formatBytes(found.size)})` : id.slice(0, 12);
  return (
    <>
      {kind === "data" ? <Link to="/datasets">{text}</Link> : text}
      <br />
      {found?.source && (
        <>
          <span className="small">
            {found.source.url} at <code title={found.source.commit}>{found.source.commit.slice(0, 12)}</code>
          </span>
          <br />
        </>
      )}
      <code title={id}>sha256 {id.slice(0, 12)}</code>
      <div className={styles.acts}>
        <CopyButton text={id} label="Copy digest" />
        <DownloadButton
          path={`/${kind === "code" ? "code" : "datasets"}/${id}/download`}
          name={found?.name ?? `${id.slice(0, 12)}.zip`}
          label={kind === "code" ? "Download the code" : "Download the data set"}
        />
      </div>
    </>
  );
}
