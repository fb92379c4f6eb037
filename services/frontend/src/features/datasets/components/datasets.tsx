import { Button } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type DragEvent, useRef, useState } from "react";
import { messageOf } from "@/api/problem";
import { datasetsQuery } from "@/api/queries";
import { uploadFile } from "@/api/upload";
import { CopyButton } from "@/components/copy-button";
import { Fetched } from "@/components/fetched";
import { Icon } from "@/components/icon";
import { Ago } from "@/components/moment";
import { notifyDone, notifyFailed } from "@/components/notices";
import { Empty, Page, Panel } from "@/components/page";
import table from "@/components/table.module.css";
import { DATA_FILES } from "@/lib/data-files";
import { formatBytes } from "@/lib/format";
import styles from "./datasets.module.css";

/** What jobs can train on. */
export function Datasets() {
  const query = useQuery(datasetsQuery);
  const queries = useQueryClient();
  const [sending, setSending] = useState<string | null>(null);
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);

  const send = async (file: File | undefined) => {
    if (!file) return;
    try {
      const upload = await uploadFile("datasets", file, (part) => setSending(`${file.name}: ${Math.round(part * 100)} %`));
      notifyDone(`${upload.name} is stored.`);
      await queries.invalidateQueries({ queryKey: datasetsQuery.queryKey });
    } catch (error) {
      notifyFailed(messageOf(error));
    }
    setSending(null);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void send(event.dataTransfer.files[0]);
  };
  return (
    <Page
      title="Data sets"
      lead="One file each: .csv, .csv.gz, .parquet, .npz, or a .zip. The same bytes are stored once."
      actions={
        <Button leftSection={<Icon name="up" size={16} />} loading={sending !== null} onClick={() => input.current?.click()}>
          Upload
        </Button>
      }
    >
      <input
        ref={input}
        type="file"
        hidden
        accept={DATA_FILES}
        aria-label="Data set file"
        onChange={(event) => void send(event.target.files?.[0])}
      />
      <div
        className={styles.drop}
        data-over={over || undefined}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        {sending && <p role="status">{sending}</p>}
        <Panel flush>
          <Fetched query={query} what="data sets">
            {(items) =>
              items.length === 0 ? (
                <Empty title="No data sets yet">
                  Drop a file here, or press Upload. The ready trainers also bring sample data of their own.
                </Empty>
              ) : (
                <div className={table.scroll}>
                  <table className={table.table}>
                    <thead>
                      <tr>
                        <th>Name</th>
                        <th className={table.number}>Size</th>
                        <th>Uploaded</th>
                        <th>Id</th>
                      </tr>
                    </thead>
                    <tbody>
                      {items.map((item) => (
                        <tr key={item.id}>
                          <td>{item.name}</td>
                          <td className={table.number}>{formatBytes(item.size)}</td>
                          <td>
                            <Ago moment={item.created_at} />
                          </td>
                          <td>
                            <span className={styles.id}>
                              <code title={item.id}>{item.id.slice(0, 12)}</code>
                              <CopyButton text={item.id} label="Copy id" />
                            </span>
                          </td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                </div>
              )
            }
          </Fetched>
        </Panel>
      </div>
    </Page>
  );
}
