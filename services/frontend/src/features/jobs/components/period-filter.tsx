import { Select, TextInput } from "@mantine/core";
import { useState } from "react";
import { isDay, SPANS } from "@/lib/period";
import type { JobsSearch } from "@/lib/search";
import styles from "./filters.module.css";

const DAYS = "days";

interface PeriodFilterProps {
  from: string | undefined;
  to: string | undefined;
  onChange: (next: Partial<JobsSearch>) => void;
}

/** When jobs were submitted: a span that ends now, or days from and to. */
export function PeriodFilter({ from, to, onChange }: PeriodFilterProps) {
  const [choosing, setChoosing] = useState(false);
  const days = choosing || (from !== undefined && isDay(from)) || to !== undefined;
  const choose = (value: string | null) => {
    setChoosing(value === DAYS);
    onChange({ from: value === DAYS ? undefined : (value ?? undefined), to: undefined });
  };
  return (
    <>
      <Select
        aria-label="Submitted"
        placeholder="Any time"
        data={[...SPANS, { value: DAYS, label: "Days from … to …" }]}
        value={days ? DAYS : (from ?? null)}
        onChange={choose}
        clearable
        clearButtonProps={{ "aria-label": "Any time" }}
      />
      {days && (
        <div className={styles.days}>
          <span>From</span>
          <TextInput
            type="date"
            aria-label="First day"
            value={from ?? ""}
            max={to}
            onChange={(event) => onChange({ from: event.currentTarget.value || undefined })}
          />
          <span>to</span>
          <TextInput
            type="date"
            aria-label="Last day"
            value={to ?? ""}
            min={from}
            onChange={(event) => onChange({ to: event.currentTarget.value || undefined })}
          />
        </div>
      )}
    </>
  );
}
