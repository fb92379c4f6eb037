import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import type { JobView } from "@/api/generated";
import { isActive } from "@/api/states";
import { DownloadButton } from "@/components/download-button";
import { Fetched } from "@/components/fetched";
import { Icon } from "@/components/icon";
import { Empty, Panel } from "@/components/page";
import table from "@/components/table.module.css";
import { formatBytes } from "@/lib/format";
import { artifactsQuery } from "../api/queries";
import styles from "./artifacts.module.css";

const route = getRouteApi("/jobs/$jobId");

/** The files of the job's run, folder by folder. They are saved, never shown: a page of somebody's run must not run here. */
export function Artifacts({ job }: { job: JobView }) {
  const { path = "" } = route.useSearch();
  const query = useQuery(artifactsQuery(job.id, path, isActive(job)));
  return (
    <Panel flush title={<Folders jobId={job.id} path={path} />}>
      <Fetched query={query} what="artifacts">
        {(items) =>
          items.length ? (
            <div className={table.scroll}>
              <table className={table.table}>
                <thead>
                  <tr>
                    <th>Name</th>
                    <th className={table.number}>Size</th>
                    <th>
                      <span className="unseen">What can be done</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((item) => (
                    <tr key={item.path}>
                      <td>
                        <span className={styles.name}>
                          {item.is_dir && <Icon name="folder" size={16} />}
                          {item.is_dir ? <FolderLink jobId={job.id} path={item.path} name={item.name} /> : item.name}
                        </span>
                      </td>
                      <td className={table.number}>{item.size === null ? "" : formatBytes(item.size)}</td>
                      <td className={table.number}>
                        {!item.is_dir && (
                          <DownloadButton
                            path={`/jobs/${encodeURIComponent(job.id)}/artifacts/download?path=${encodeURIComponent(item.path)}`}
                            name={item.name}
                            label={`Download ${item.name}`}
                          />
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          ) : (
            <Empty title={path ? "This folder is empty" : isActive(job) ? "No artifacts yet" : "No artifacts were logged"}>
              {path ? undefined : "A program logs them with mlflow.log_artifact; models are among them."}
            </Empty>
          )
        }
      </Fetched>
    </Panel>
  );
}

/** The way from the run's top to the folder that is shown. */
function Folders({ jobId, path }: { jobId: string; path: string }) {
  const parts = path.split("/").filter(Boolean);
  return (
    <span className={styles.folders}>
      {parts.length ? <FolderLink jobId={jobId} path="" name="All artifacts" /> : "All artifacts"}
      {parts.map((name, index) => (
        <span key={index}>
          <span aria-hidden="true"> / </span>
          {index === parts.length - 1 ? name : <FolderLink jobId={jobId} path={parts.slice(0, index + 1).join("/")} name={name} />}
        </span>
      ))}
    </span>
  );
}

function FolderLink({ jobId, path, name }: { jobId: string; path: string; name: string }) {
  return (
    <Link to="/jobs/$jobId" params={{ jobId }} search={(before) => ({ ...before, path: path || undefined })} resetScroll={false}>
      {name}
    </Link>
  );
}
