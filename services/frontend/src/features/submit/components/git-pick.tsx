import { Button, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { messageOf } from "@/api/problem";
import { fetchGitCode } from "../api/git-code";
import styles from "./code-pick.module.css";
import type { CodeChoice } from "./use-draft";

/** Code by the address of a git repository; the server fetches it at the commit that the branch or tag has now. */
export function GitPick({ onChange }: { onChange: (code: CodeChoice) => void }) {
  const [place, setPlace] = useState({ url: "", ref: "", folder: "" });
  const fetching = useMutation({ mutationFn: fetchGitCode, onSuccess: onChange });
  const change = (part: Partial<typeof place>) => setPlace((before) => ({ ...before, ...part }));
  const ready = place.url.trim() !== "";
  const fetchIt = () => ready && !fetching.isPending && fetching.mutate(place);
  const onEnter = (event: React.KeyboardEvent) => {
    if (event.key !== "Enter") return;
    event.preventDefault(); // the form around it is another question
    fetchIt();
  };
  return (
    <div className={styles.git} onKeyDown={onEnter} role="group" aria-label="Code from git">
      <TextInput
        label="Repository"
        placeholder="https://host/team/project.git"
        type="url"
        autoComplete="off"
        spellCheck={false}
        className={styles.url}
        value={place.url}
        error={fetching.isError ? messageOf(fetching.error) : undefined}
        onChange={(event) => change({ url: event.currentTarget.value })}
      />
      <TextInput
        label="Branch, tag or commit"
        placeholder="the default branch"
        spellCheck={false}
        value={place.ref}
        onChange={(event) => change({ ref: event.currentTarget.value })}
      />
      <TextInput
        label="Folder in it"
        placeholder="the whole"
        spellCheck={false}
        value={place.folder}
        onChange={(event) => change({ folder: event.currentTarget.value })}
      />
      <Button variant="default" className={styles.fetch} disabled={!ready} loading={fetching.isPending} onClick={fetchIt}>
        Fetch the code
      </Button>
    </div>
  );
}
