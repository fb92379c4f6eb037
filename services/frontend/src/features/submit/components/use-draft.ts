import { useMemo, useState } from "react";
import type { JobView, Template, UploadView } from "@/api/generated";
import { type Field, fieldsOf, parseField, textOf } from "@/lib/schema-form";
import { type Body, changed } from "@/lib/snippets";

export type CodeChoice = Pick<UploadView, "id" | "name" | "size" | "files"> & Partial<Pick<UploadView, "source">>;

/** What stands in the form. Texts, because what is typed may be wrong. */
export interface Draft {
  name: string;
  values: Record<string, string>;
  code: CodeChoice | null;
  data: string | null;
  /** null: the server's first. */
  team: string | null;
  tags: string[];
  retries: string;
  deadline: string;
  /** The container image; empty: the platform's own. */
  image: string;
  resume: Body["resume"];
  /** How many checkpoints are kept. */
  keep: string;
  /** Empty: none is kept for being the best. */
  bestMetric: string;
  bestMode: "min" | "max";
}

const RETRIES: Field = {
  name: "retries",
  title: "Retries",
  help: "",
  kind: "integer",
  optional: false,
  initial: "0",
  minimum: 0,
  maximum: 20,
};
const DEADLINE: Field = {
  name: "deadline_seconds",
  title: "Deadline",
  help: "",
  kind: "integer",
  optional: true,
  initial: "",
  minimum: 1,
  maximum: 43_200,
};
const KEEP: Field = {
  name: "keep",
  title: "Checkpoints to keep",
  help: "",
  kind: "integer",
  optional: false,
  initial: "2",
  minimum: 1,
  maximum: 100,
};
const FIELD_NAMES: Record<string, string> = { deadline_seconds: "deadline" };

export interface DraftState {
  fields: Field[];
  draft: Draft;
  change: (next: Partial<Draft>) => void;
  setValue: (name: string, text: string) => void;
  /** What is wrong, by field: names of parameters, and "name", "code", "data", "tags", "retries", "deadline", "keep". */
  problems: Record<string, string>;
  /** Whether nothing is wrong as far as the browser can tell. */
  complete: boolean;
  /** The job as the API takes it. */
  body: Body;
  /** The same without parameters that are at their defaults. */
  shortBody: Body;
  /** What the server said is wrong. */
  setServerProblems: (problems: Record<string, string>) => void;
}

/** The state of the form for one template, filled from an earlier job where there is one. */
export function useDraft(template: Template, from: JobView | undefined, step: number | undefined): DraftState {
  const fields = useMemo(() => fieldsOf(template.parameters), [template]);
  const [draft, setDraft] = useState<Draft>(() => firstDraft(fields, from, step));
  const [serverProblems, setServerProblems] = useState<Record<string, string>>({});

  const problems: Record<string, string> = {};
  const parameters: Record<string, unknown> = {};
  for (const field of fields) {
    const parsed = parseField(field, draft.values[field.name] ?? "");
    if ("problem" in parsed) problems[field.name] = parsed.problem;
    else parameters[field.name] = parsed.value;
  }
  const number = (field: Field, text: string): number | null => {
    const parsed = parseField(field, text);
    if ("value" in parsed) return parsed.value as number | null;
    problems[FIELD_NAMES[field.name] ?? field.name] = parsed.problem;
    return null;
  };
  const minutes = number(DEADLINE, draft.deadline);
  const keep = number(KEEP, draft.keep) ?? 2;
  const bestMetric = draft.bestMetric.trim() || null;
  if (template.needs_code && !draft.code) problems.code = "This template runs your code: choose a folder or a .zip, or a git repository.";
  const badTag = draft.tags.find((tag) => tag.indexOf(":") < 1);
  if (badTag) problems.tags = `Write tags as key:value; "${badTag}" is not.`;
  const body: Body = {
    template: template.name,
    name: draft.name.trim() || null,
    parameters,
    code: draft.code?.id ?? null,
    data: draft.data,
    team: draft.team,
    tags: Object.fromEntries(draft.tags.map((tag) => [tag.slice(0, tag.indexOf(":")).trim(), tag.slice(tag.indexOf(":") + 1).trim()])),
    retries: number(RETRIES, draft.retries) ?? 0,
    deadline_seconds: minutes === null ? null : minutes * 60,
    image: draft.image.trim() || null,
    resume: draft.resume,
    checkpoints: keep === 2 && bestMetric === null ? null : { keep, best_metric: bestMetric, best_mode: draft.bestMode },
  };
  const defaults: Record<string, unknown> = {};
  for (const field of fields) {
    const parsed = parseField(field, field.initial);
    defaults[field.name] = "value" in parsed ? parsed.value : null;
  }
  const change = (next: Partial<Draft>) => {
    setDraft((now) => ({ ...now, ...next }));
    setServerProblems((now) => without(now, Object.keys(next)));
  };
  return {
    fields,
    draft,
    change,
    setValue: (name, text) => {
      setDraft((now) => ({ ...now, values: { ...now.values, [name]: text } }));
      setServerProblems((now) => without(now, [name]));
    },
    problems: { ...serverProblems, ...problems },
    complete: Object.keys(problems).length === 0,
    body,
    shortBody: { ...body, parameters: changed(parameters, defaults) },
    setServerProblems,
  };
}

function without(problems: Record<string, string>, names: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(problems).filter(([name]) => !names.includes(name)));
}

function firstDraft(fields: Field[], from: JobView | undefined, step: number | undefined): Draft {
  const values = Object.fromEntries(
    fields.map((field) => [
      field.name,
      from && field.name in from.parameters ? textOf(from.parameters[field.name], field.kind) : field.initial,
    ]),
  );
  return {
    name: from?.name ?? "",
    values,
    code: from?.code ? { id: from.code, name: "the same code", size: 0, files: [] } : null,
    data: from?.data ?? null,
    team: from?.team ?? null,
    tags: Object.entries(from?.tags ?? {}).map(([key, value]) => `${key}:${value}`),
    retries: String(from?.retries ?? 0),
    deadline: from?.deadline_seconds ? String(Math.ceil(from.deadline_seconds / 60)) : "",
    image: from?.image ?? "",
    resume: from && step !== undefined ? { job: from.id, step } : null,
    keep: String(from?.checkpoints?.keep ?? 2),
    bestMetric: from?.checkpoints?.best_metric ?? "",
    bestMode: from?.checkpoints?.best_mode ?? "min",
  };
}
