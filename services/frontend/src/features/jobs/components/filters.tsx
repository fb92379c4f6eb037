import { MultiSelect, Select, TagsInput, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { teamsQuery, templatesQuery } from "@/api/queries";
import { STATE_NAMES, STATES } from "@/api/states";
import { Icon } from "@/components/icon";
import type { JobsSearch } from "@/lib/search";
import styles from "./filters.module.css";
import { PeriodFilter } from "./period-filter";

const STATE_OPTIONS = STATES.map((value) => ({ value, label: STATE_NAMES[value] }));
const PAUSE_MS = 250;

/** What narrows the list down. */
export function Filters({ search, onChange }: { search: JobsSearch; onChange: (next: Partial<JobsSearch>) => void }) {
  const templates = useQuery(templatesQuery);
  const teams = useQuery(teamsQuery);
  return (
    <search className={styles.filters}>
      <SearchText value={search.q ?? ""} onChange={(q) => onChange({ q: q || undefined })} />
      <MultiSelect
        aria-label="State"
        placeholder={search.state?.length ? undefined : "Any state"}
        data={STATE_OPTIONS}
        value={search.state ?? []}
        onChange={(state) => onChange({ state: state.length ? state : undefined })}
        clearable
        clearButtonProps={{ "aria-label": "Any state" }}
      />
      <Select
        aria-label="Template"
        placeholder="Any template"
        data={(templates.data ?? []).map(({ name, title }) => ({ value: name, label: title }))}
        value={search.template ?? null}
        onChange={(template) => onChange({ template: template ?? undefined })}
        clearable
        clearButtonProps={{ "aria-label": "Any template" }}
      />
      {(teams.data?.length ?? 0) > 1 && (
        <Select
          aria-label="Team"
          placeholder="Any team"
          data={teams.data?.map(({ name }) => name) ?? []}
          value={search.team ?? null}
          onChange={(team) => onChange({ team: team ?? undefined })}
          clearable
          clearButtonProps={{ "aria-label": "Any team" }}
        />
      )}
      <PeriodFilter from={search.from} to={search.to} onChange={onChange} />
      <TagsInput
        aria-label="Tags"
        placeholder={search.tag?.length ? undefined : "Tag as key:value"}
        value={search.tag ?? []}
        onChange={(tags) => onChange({ tag: tags.length ? tags.filter((tag) => tag.includes(":")) : undefined })}
        clearable
        clearButtonProps={{ "aria-label": "Any tags" }}
      />
    </search>
  );
}

/** The text goes into the address when the typing pauses. */
function SearchText({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [text, setText] = useState(value);
  const [known, setKnown] = useState(value);
  if (known !== value) {
    setKnown(value);
    setText(value);
  }
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onChange(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text, value, onChange]);
  return (
    <TextInput
      type="search"
      aria-label="Search by name or id"
      placeholder="Search by name or id"
      leftSection={<Icon name="search" size={16} />}
      value={text}
      onChange={(event) => setText(event.currentTarget.value)}
    />
  );
}
