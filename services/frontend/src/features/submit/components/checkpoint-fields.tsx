import { Select, TextInput } from "@mantine/core";
import styles from "./job-form.module.css";
import type { Draft } from "./use-draft";

interface CheckpointFieldsProps {
  draft: Draft;
  problems: Record<string, string>;
  onChange: (next: Partial<Draft>) => void;
}

/** Which checkpoints of the job are kept. */
export function CheckpointFields({ draft, problems, onChange }: CheckpointFieldsProps) {
  return (
    <div className={styles.fields}>
      <TextInput
        id="job-keep"
        label="Newest to keep"
        description="Older ones are deleted. 1 to 100."
        inputMode="numeric"
        value={draft.keep}
        error={problems.keep}
        onChange={(event) => onChange({ keep: event.currentTarget.value })}
      />
      <TextInput
        id="job-bestMetric"
        label="Best by metric"
        description="The one that is best by it is kept too; empty: none."
        placeholder="validation_loss"
        value={draft.bestMetric}
        error={problems.bestMetric}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => onChange({ bestMetric: event.currentTarget.value })}
      />
      {draft.bestMetric.trim() !== "" && (
        <Select
          id="job-bestMode"
          label="Best is"
          description="Losses are best low, accuracies high."
          data={[
            { value: "min", label: "the lowest" },
            { value: "max", label: "the highest" },
          ]}
          value={draft.bestMode}
          allowDeselect={false}
          onChange={(mode) => onChange({ bestMode: mode === "max" ? "max" : "min" })}
        />
      )}
    </div>
  );
}
