import { useQuery } from "@tanstack/react-query";
import { Link, useLocation } from "@tanstack/react-router";
import type { ModelVersionView } from "@/api/generated";
import { modelsQuery } from "@/api/queries";
import { CopyButton } from "@/components/copy-button";
import { Fetched } from "@/components/fetched";
import { LinkButton } from "@/components/link-button";
import { Ago } from "@/components/moment";
import { Empty, Page, Panel } from "@/components/page";
import table from "@/components/table.module.css";
import { formatMetric } from "@/lib/format";
import { headlines } from "../api/headlines";
import styles from "./models.module.css";

const LIMIT = 500;

/** Registered models: every version with its figures and the job that made it. */
export function Models() {
  const query = useQuery(modelsQuery(LIMIT));
  const hash = useLocation({ select: (location) => location.hash });
  return (
    <Page title="Models" lead="What jobs have registered, newest version first.">
      <Fetched query={query} what="models">
        {(versions) =>
          versions.length === 0 ? (
            <Panel>
              <Empty title="No models yet" action={<LinkButton to="/submit">New job</LinkButton>}>
                The ready trainers register one when they succeed; a script does with trainyard_train.log_model.
              </Empty>
            </Panel>
          ) : (
            [...Map.groupBy(versions, (version) => version.name)].map(([name, group]) => (
              <Model key={name} name={name} versions={group} marked={hash} />
            ))
          )
        }
      </Fetched>
    </Page>
  );
}

function Model({ name, versions, marked }: { name: string; versions: ModelVersionView[]; marked: string }) {
  const columns = headlines(versions);
  const latest = versions[0];
  return (
    <Panel
      flush
      title={name}
      aside={latest && <CopyButton text={`mlflow.pyfunc.load_model("models:/${name}/${latest.version}")`} label="Copy how to load it" />}
    >
      <div className={table.scroll}>
        <table className={table.table}>
          <thead>
            <tr>
              <th>Version</th>
              {columns.map((key) => (
                <th key={key} className={table.number}>
                  {key}
                </th>
              ))}
              <th>From job</th>
              <th>Registered</th>
            </tr>
          </thead>
          <tbody>
            {versions.map((version) => (
              <tr
                key={version.version}
                id={`${name}-${version.version}`}
                className={marked === `${name}-${version.version}` ? styles.marked : undefined}
              >
                <td>v{version.version}</td>
                {columns.map((key) => (
                  <td key={key} className={table.number}>
                    {formatMetric(version.metrics[key])}
                  </td>
                ))}
                <td>
                  {version.job_id ? (
                    <Link to="/jobs/$jobId" params={{ jobId: version.job_id }}>
                      {version.job_id}
                    </Link>
                  ) : (
                    "elsewhere"
                  )}
                </td>
                <td>
                  <Ago moment={version.created_at} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
