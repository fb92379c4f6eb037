import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { ModelVersionView } from "@/api/generated";
import { CopyButton } from "@/components/copy-button";
import { Ago } from "@/components/moment";
import { Panel } from "@/components/page";
import table from "@/components/table.module.css";
import { formatMetric, formatNumber } from "@/lib/format";
import { headlines } from "@/lib/headlines";
import { Aliases } from "./aliases";
import styles from "./models.module.css";
import { Promote } from "./promote";

const FIRST = 10;
const MOST_METRICS = 4;

/** One model: its versions, the newest first. */
export function Model({ name, versions, marked }: { name: string; versions: ModelVersionView[]; marked: string }) {
  const [all, setAll] = useState(false);
  const columns = headlines(versions, MOST_METRICS);
  const [latest] = versions;
  const isMarked = (version: ModelVersionView) => marked === `${name}-${version.version}`;
  const shown = versions.filter((version, index) => all || index < FIRST || version.aliases.length > 0 || isMarked(version));
  const aliases = new Map(versions.flatMap((version) => version.aliases.map((alias): [string, string] => [alias, version.version])));
  return (
    <Panel
      flush
      title={name}
      aside={latest && <CopyButton text={`mlflow.pyfunc.load_model("models:/${name}/${latest.version}")`} label="Copy how to load it" />}
    >
      <div className={table.scroll} tabIndex={0} role="region" aria-label={`Versions of ${name}`}>
        <table className={table.table}>
          <thead>
            <tr>
              <th>Version</th>
              <th>Aliases</th>
              {columns.map((key) => (
                <th key={key} className={table.number}>
                  {key}
                </th>
              ))}
              <th>From job</th>
              <th>Registered</th>
              <th>
                <span className="unseen">What can be done</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((version) => (
              <tr key={version.version} id={`${name}-${version.version}`} className={isMarked(version) ? styles.marked : undefined}>
                <td>v{version.version}</td>
                <td>
                  <Aliases name={name} version={version.version} aliases={version.aliases} />
                </td>
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
                <td className={styles.when}>
                  <Ago moment={version.created_at} />
                </td>
                <td className={table.number}>
                  <Promote name={name} version={version.version} aliases={aliases} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < versions.length && (
        <div className={styles.more}>
          <Button size="compact-sm" variant="default" onClick={() => setAll(true)}>
            Show all {formatNumber(versions.length)} versions
          </Button>
        </div>
      )}
    </Panel>
  );
}
