import { Modal, Switch } from "@mantine/core";
import styles from "./keyboard-help.module.css";
import { PLACES } from "./navigation";

const KEYS: [keys: string[], what: string][] = [
  ...PLACES.map(({ key, label }): [string[], string] => [["g", key], label]),
  [["n"], "New job"],
  [["/"], "Search on this page"],
  [["?"], "This help"],
];

/** What keys do, and the switch that turns them off. */
export function KeyboardHelp({ on, onSwitch, onClose }: { on: boolean; onSwitch: (on: boolean) => void; onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Keyboard" centered lockScroll={false} closeButtonProps={{ "aria-label": "Close" }}>
      <dl className={styles.keys}>
        {KEYS.map(([keys, what]) => (
          <div key={what}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <Switch checked={on} onChange={(event) => onSwitch(event.currentTarget.checked)} label="Single-key shortcuts" />
    </Modal>
  );
}
