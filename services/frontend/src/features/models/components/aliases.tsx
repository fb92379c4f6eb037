import { useState } from "react";
import { messageOf } from "@/api/problem";
import { Confirm } from "@/components/confirm";
import { Icon } from "@/components/icon";
import { notifyDone, notifyFailed } from "@/components/notices";
import { useRemoveAlias } from "../api/aliases";
import styles from "./models.module.css";

/** The names that lead to this version; each can be taken away, which is asked about once. */
export function Aliases({ name, version, aliases }: { name: string; version: string; aliases: string[] }) {
  const [asking, setAsking] = useState<string | null>(null);
  const remove = useRemoveAlias(name);
  return (
    <>
      {aliases.map((alias) => (
        <span key={alias} className={styles.alias}>
          {alias}
          <button type="button" aria-label={`Take the alias ${alias} away from v${version}`} onClick={() => setAsking(alias)}>
            <Icon name="close" size={12} />
          </button>
        </span>
      ))}
      <Confirm
        opened={asking !== null}
        title={`Take the alias ${asking ?? ""} away?`}
        act="Take it away"
        onClose={() => setAsking(null)}
        onConfirm={() => {
          if (asking === null) return;
          remove.mutate(asking, {
            onSuccess: () => notifyDone(`${asking} no longer leads to a version of ${name}.`),
            onError: (error) => notifyFailed(messageOf(error)),
          });
        }}
      >
        <p>
          Programs that load models:/{name}@{asking} will find nothing. The version itself stays.
        </p>
      </Confirm>
    </>
  );
}
