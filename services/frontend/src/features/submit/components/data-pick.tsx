import { Button, Select } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { messageOf } from "@/api/problem";
import { datasetsQuery } from "@/api/queries";
import { uploadFile } from "@/api/upload";
import { DATA_FILES } from "@/lib/data-files";
import { formatBytes } from "@/lib/format";
import styles from "./data-pick.module.css";

interface DataPickProps {
  data: string | null;
  onChange: (data: string | null) => void;
  /** Whether the template runs code of the user's own, which need no data set. */
  needsCode: boolean;
  problem: string | undefined;
}

/** A stored data set, a new one, or none. */
export function DataPick({ data, onChange, needsCode, problem }: DataPickProps) {
  const query = useQuery(datasetsQuery);
  const queries = useQueryClient();
  const [sending, setSending] = useState<number | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);

  const send = async (file: File) => {
    setFailure(null);
    setSending(0);
    try {
      const upload = await uploadFile("datasets", file, setSending);
      await queries.invalidateQueries({ queryKey: datasetsQuery.queryKey });
      onChange(upload.id);
    } catch (error) {
      setFailure(messageOf(error));
    }
    setSending(null);
  };
  const options = (query.data ?? []).map(({ id, name, size }) => ({
    value: id,
    label: `${name} (${formatBytes(size)}, ${id.slice(0, 8)})`,
  }));
  if (data && !options.some(({ value }) => value === data)) options.push({ value: data, label: data.slice(0, 12) });
  return (
    <div className={styles.pick}>
      <Select
        id="job-data"
        label="Data set"
        description={
          needsCode ? "Optional; the program finds it with trainyard_train.data_path()." : "Empty: the template's own sample data."
        }
        placeholder={needsCode ? "none" : "sample data"}
        data={options}
        value={data}
        onChange={onChange}
        clearable
        clearButtonProps={{ "aria-label": "No data set" }}
        searchable={options.length > 8}
        error={failure ?? problem}
      />
      <Button variant="default" loading={sending !== null} onClick={() => input.current?.click()}>
        Upload
      </Button>
      {sending !== null && (
        <span className={styles.progress} role="status">
          {Math.round(sending * 100)} %
        </span>
      )}
      <input
        ref={input}
        type="file"
        hidden
        accept={DATA_FILES}
        aria-label="Data set file"
        onChange={(event) => event.target.files?.[0] && void send(event.target.files[0])}
      />
    </div>
  );
}
