import { Button, Modal } from "@mantine/core";
import type { ReactNode } from "react";
import styles from "./confirm.module.css";

interface ConfirmProps {
  opened: boolean;
  title: string;
  /** What happens, and what does not. */
  children: ReactNode;
  /** The verb on the button that does it. */
  act: string;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks once before something that cannot be undone. */
export function Confirm({ opened, title, children, act, onConfirm, onClose }: ConfirmProps) {
  return (
    <Modal opened={opened} onClose={onClose} title={title} centered lockScroll={false} closeButtonProps={{ "aria-label": "Close" }}>
      <div className={styles.text}>{children}</div>
      <div className={styles.buttons}>
        <Button variant="default" onClick={onClose} data-autofocus>
          Keep
        </Button>
        <Button
          className={styles.danger}
          onClick={() => {
            onConfirm();
            onClose();
          }}
        >
          {act}
        </Button>
      </div>
    </Modal>
  );
}
