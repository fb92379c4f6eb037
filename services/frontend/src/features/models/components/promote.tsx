import { Autocomplete, Button, Modal } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { messageOf } from "@/api/problem";
import { notifyDone } from "@/components/notices";
import { useSetAlias } from "../api/aliases";
import styles from "./models.module.css";

const USUAL = ["champion", "challenger", "production", "staging"];

interface PromoteProps {
  name: string;
  version: string;
  /** The aliases of the model, with the versions that they lead to. */
  aliases: ReadonlyMap<string, string>;
}

/** Gives the version an alias. The dialog says what changes, and is the one question. */
export function Promote({ name, version, aliases }: PromoteProps) {
  const [opened, setOpened] = useState(false);
  const [alias, setAlias] = useState("champion");
  const promote = useSetAlias(name);
  const wanted = alias.trim();
  const before = aliases.get(wanted);
  const close = () => {
    setOpened(false);
    promote.reset();
  };
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (!wanted) return;
    promote.mutate(
      { alias: wanted, version },
      {
        onSuccess: () => {
          notifyDone(`${wanted} leads to v${version} of ${name}.`);
          close();
        },
      },
    );
  };
  return (
    <>
      <Button size="compact-sm" variant="default" aria-label={`Promote v${version} of ${name}`} onClick={() => setOpened(true)}>
        Promote
      </Button>
      <Modal
        opened={opened}
        onClose={close}
        title={`Promote v${version} of ${name}`}
        centered
        lockScroll={false}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <form onSubmit={send} className={styles.promote}>
          <Autocomplete
            label="Alias"
            description="Programs load the version as models:/name@alias."
            data={[...new Set([...aliases.keys(), ...USUAL])]}
            value={alias}
            onChange={setAlias}
            error={promote.isError ? messageOf(promote.error) : undefined}
            data-autofocus
          />
          <p className={styles.outcome}>
            {before === undefined
              ? "It leads to no version now."
              : before === version
                ? "It leads to this version already."
                : `It leads to v${before} now, and will lead to v${version} instead.`}
          </p>
          <div className={styles.buttons}>
            <Button variant="default" onClick={close}>
              Keep as it is
            </Button>
            <Button type="submit" disabled={!wanted} loading={promote.isPending}>
              Promote
            </Button>
          </div>
        </form>
      </Modal>
    </>
  );
}
