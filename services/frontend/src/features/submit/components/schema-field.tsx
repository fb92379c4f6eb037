import { Select, Switch, Textarea, TextInput } from "@mantine/core";
import { useState } from "react";
import { boundsOf, type Field } from "@/lib/schema-form";

interface SchemaFieldProps {
  field: Field;
  value: string;
  onChange: (value: string) => void;
  problem: string | undefined;
  /** Show the problem although nothing was typed yet. */
  insist: boolean;
  /** Leave the bounds out of the help, where there is little room. */
  terse?: boolean;
}

/** One parameter: what it means, what it may be, and what is wrong with what is typed. */
export function SchemaField({ field, value, onChange, problem, insist, terse = false }: SchemaFieldProps) {
  const [touched, setTouched] = useState(false);
  const bounds = terse ? "" : boundsOf(field);
  const common = {
    id: `parameter-${field.name}`,
    label: field.title,
    description: [field.help, bounds && `${bounds.charAt(0).toUpperCase()}${bounds.slice(1)}.`].filter(Boolean).join(" "),
    error: touched || insist ? problem : undefined,
  };
  const change = (next: string) => {
    setTouched(true);
    onChange(next);
  };
  if (field.kind === "choice") {
    return (
      <Select
        {...common}
        data={field.choices ?? []}
        value={value || null}
        onChange={(next) => change(next ?? "")}
        allowDeselect={field.optional}
        clearable={field.optional}
      />
    );
  }
  if (field.kind === "switch") {
    return <Switch {...common} checked={value === "true"} onChange={(event) => change(String(event.currentTarget.checked))} />;
  }
  if (field.kind === "json" || field.kind === "pairs" || (field.kind === "list" && field.item?.kind === "text")) {
    const hint = { json: '{"lr": 0.1}', pairs: "NAME=value", list: "--lr\n0.1" }[field.kind];
    const form = { json: "As JSON.", pairs: "One NAME=value per line.", list: "One per line." }[field.kind];
    return (
      <Textarea
        {...common}
        description={`${common.description} ${form}`}
        placeholder={hint}
        autosize
        minRows={2}
        maxRows={10}
        spellCheck={false}
        value={value}
        onChange={(event) => change(event.currentTarget.value)}
      />
    );
  }
  return (
    <TextInput
      {...common}
      inputMode={field.kind === "integer" ? "numeric" : field.kind === "number" ? "decimal" : undefined}
      placeholder={field.optional ? "empty" : undefined}
      autoComplete="off"
      spellCheck={false}
      value={field.kind === "list" ? value.split("\n").join(", ") : value}
      onChange={(event) => change(event.currentTarget.value)}
    />
  );
}
