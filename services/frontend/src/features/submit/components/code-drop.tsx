import { Button } from "@mantine/core";
import { type DragEvent, useRef, useState } from "react";
import { messageOf } from "@/api/problem";
import { uploadFile } from "@/api/upload";
import { Icon } from "@/components/icon";
import { type CodeFile, filesOfDrop, filesOfInput, pack } from "../api/pack";
import styles from "./code-drop.module.css";
import { CodeFiles } from "./code-files";
import type { CodeChoice } from "./use-draft";

/** Takes a folder or a .zip by dropping or choosing; packs, sends, and shows what came of it. */
export function CodeDrop({
  code,
  onChange,
  problem,
}: {
  code: CodeChoice | null;
  onChange: (code: CodeChoice | null) => void;
  problem: string | undefined;
}) {
  const [over, setOver] = useState(false);
  const [busy, setBusy] = useState<string | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const folder = useRef<HTMLInputElement>(null);
  const file = useRef<HTMLInputElement>(null);

  const take = async (files: Promise<CodeFile[]> | CodeFile[]) => {
    setFailure(null);
    setBusy("Packing …");
    try {
      const packed = await pack(await files);
      const upload = await uploadFile("code", packed, (part) => setBusy(`Sending, ${Math.round(part * 100)} %`));
      onChange(upload);
    } catch (error) {
      setFailure(messageOf(error));
    }
    setBusy(null);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void take(filesOfDrop(event.dataTransfer.items));
  };
  const complaint = failure ?? problem;
  return (
    <div
      className={styles.drop}
      data-over={over || undefined}
      data-problem={complaint ? true : undefined}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      role="group"
      aria-label="Code"
    >
      <Icon name={code ? "check" : "folder"} size={22} />
      <div className={styles.text} role="status">
        {busy ?? (code ? <CodeFiles code={code} /> : "Drop the folder with your program here, or a .zip of it.")}
        {complaint && <p className={styles.problem}>{complaint}</p>}
      </div>
      <div className={styles.buttons}>
        <Button id="job-code" size="compact-sm" variant="default" disabled={busy !== null} onClick={() => folder.current?.click()}>
          Choose folder
        </Button>
        <Button size="compact-sm" variant="default" disabled={busy !== null} onClick={() => file.current?.click()}>
          Choose file
        </Button>
      </div>
      <input
        ref={folder}
        type="file"
        hidden
        aria-label="Folder with code"
        webkitdirectory=""
        onChange={(event) => event.target.files?.length && void take(filesOfInput(event.target.files))}
      />
      <input
        ref={file}
        type="file"
        hidden
        aria-label="Code file"
        accept=".zip,.py"
        onChange={(event) => event.target.files?.length && void take([...event.target.files].map((one) => ({ path: one.name, file: one })))}
      />
    </div>
  );
}

declare module "react" {
  interface InputHTMLAttributes<T> {
    webkitdirectory?: T extends HTMLInputElement ? string : never;
  }
}
