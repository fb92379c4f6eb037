import { SegmentedControl } from "@mantine/core";
import { useState } from "react";
import { CopyButton } from "@/components/copy-button";
import { Panel } from "@/components/page";
import { asCommand, asJson, asPython, type Body } from "@/lib/snippets";
import styles from "./as-code.module.css";

const FORMS = { command: asCommand, python: asPython, json: asJson };
type Form = keyof typeof FORMS;

/** The same job from a terminal, from Python, and as JSON. */
export function AsCode({ body }: { body: Body }) {
  const [form, setForm] = useState<Form>("command");
  const text = FORMS[form](body);
  return (
    <Panel
      title="The same job elsewhere"
      aside={
        <div className={styles.aside}>
          <SegmentedControl
            size="xs"
            aria-label="Form"
            value={form}
            onChange={(value) => setForm(value as Form)}
            data={[
              { value: "command", label: "Terminal" },
              { value: "python", label: "Python" },
              { value: "json", label: "JSON" },
            ]}
          />
          <CopyButton text={text} />
        </div>
      }
    >
      <pre className={styles.code} tabIndex={0} aria-label="The job as code">
        {text}
      </pre>
      {form !== "json" && (body.resume ?? body.checkpoints) && (
        <p className={styles.note}>The checkpoint that it goes on from, and which ones stay, are in the JSON only.</p>
      )}
    </Panel>
  );
}
