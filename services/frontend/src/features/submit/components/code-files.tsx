import { formatBytes, plural } from "@/lib/format";
import styles from "./code-drop.module.css";
import type { CodeChoice } from "./use-draft";

const MOST = 200;

/** The code that was chosen: its files, its size, and its commit where it came from git. */
export function CodeFiles({ code }: { code: CodeChoice }) {
  if (code.files.length === 0) return <strong>The same code (sha256 {code.id.slice(0, 12)})</strong>;
  return (
    <details className={styles.text}>
      <summary>
        <strong>{plural(code.files.length, "file")}</strong>, {formatBytes(code.size)} packed
        {code.source && (
          <>
            , commit <code title={code.source.commit}>{code.source.commit.slice(0, 12)}</code>
          </>
        )}
      </summary>
      <ul className={styles.files}>
        {code.files.slice(0, MOST).map((name) => (
          <li key={name}>{name}</li>
        ))}
        {code.files.length > MOST && <li>and {code.files.length - MOST} more</li>}
      </ul>
    </details>
  );
}
