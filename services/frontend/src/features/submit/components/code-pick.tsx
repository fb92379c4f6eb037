import { SegmentedControl } from "@mantine/core";
import { useState } from "react";
import { CodeDrop } from "./code-drop";
import { CodeFiles } from "./code-files";
import styles from "./code-pick.module.css";
import { GitPick } from "./git-pick";
import type { CodeChoice } from "./use-draft";

interface CodePickProps {
  code: CodeChoice | null;
  onChange: (code: CodeChoice | null) => void;
  problem: string | undefined;
}

/** The program: a folder or a .zip from here, or a commit of a git repository. */
export function CodePick({ code, onChange, problem }: CodePickProps) {
  const [from, setFrom] = useState("files");
  return (
    <div className={styles.pick}>
      <SegmentedControl
        size="xs"
        aria-label="Where the code is"
        className={styles.from}
        value={from}
        onChange={setFrom}
        data={[
          { value: "files", label: "Folder or .zip" },
          { value: "git", label: "Git repository" },
        ]}
      />
      {from === "files" ? (
        <CodeDrop code={code} onChange={onChange} problem={problem} />
      ) : (
        <>
          <GitPick onChange={onChange} />
          <div role="status">
            {code && <CodeFiles code={code} />}
            {problem && <p className={styles.problem}>{problem}</p>}
          </div>
        </>
      )}
    </div>
  );
}
