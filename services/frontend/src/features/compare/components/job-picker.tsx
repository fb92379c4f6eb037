import { MultiSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { jobsQuery } from "@/api/queries";
import { formatExact } from "@/lib/format";

/** Chooses jobs by name or id. */
export function JobPicker({
  chosen,
  names,
  onChange,
}: {
  chosen: string[];
  names: ReadonlyMap<string, string>;
  onChange: (ids: string[]) => void;
}) {
  const [text, setText] = useState("");
  const wanted = useDeferredValue(text);
  const query = useQuery(jobsQuery({ limit: 50, ...(wanted ? { q: wanted } : {}) }));
  const found = (query.data?.items ?? []).map((job) => ({ value: job.id, label: `${job.name} · ${formatExact(job.created_at)}` }));
  const known = new Set(found.map((option) => option.value));
  const rest = chosen.filter((id) => !known.has(id)).map((id) => ({ value: id, label: names.get(id) ?? id }));
  return (
    <MultiSelect
      aria-label="Jobs to compare"
      placeholder={chosen.length ? undefined : "Search by name or id"}
      data={[...rest, ...found]}
      value={chosen}
      onChange={onChange}
      searchable
      searchValue={text}
      onSearchChange={setText}
      filter={({ options }) => options}
      clearable
      clearButtonProps={{ "aria-label": "No jobs" }}
      hidePickedOptions
      maxDropdownHeight={280}
    />
  );
}
