/** From the JSON Schema of a template's parameters to the fields of a form, and from what is typed back to values. */

import { formatNumber } from "./format";

export type FieldKind = "integer" | "number" | "text" | "choice" | "switch" | "list" | "pairs" | "json";

export interface Field {
  name: string;
  title: string;
  help: string;
  kind: FieldKind;
  /** May be left empty although it has no text. */
  optional: boolean;
  /** What stands in the form before anything is typed. */
  initial: string;
  minimum?: number;
  /** Whether `minimum` itself is too small. */
  above?: boolean;
  maximum?: number;
  /** Whether `maximum` itself is too large. */
  below?: boolean;
  pattern?: string;
  longest?: number;
  choices?: string[];
  /** What a list holds. */
  item?: Field;
}

export type Schema = Record<string, unknown>;
export type Parsed = { value: unknown } | { problem: string };

/** The fields of an object's schema, in its order. */
export function fieldsOf(schema: Schema): Field[] {
  const properties = (schema.properties ?? {}) as Record<string, Schema>;
  const required = new Set((schema.required as string[] | undefined) ?? []);
  return Object.entries(properties).map(([name, property]) => fieldOf(name, property, schema, required.has(name)));
}

function fieldOf(name: string, given: Schema, root: Schema, required: boolean): Field {
  const property = resolved(given, root);
  const options = ((property.anyOf ?? property.oneOf) as Schema[] | undefined)?.map((option) => resolved(option, root)) ?? [property];
  const main = options.find((option) => option.type !== "null") ?? property;
  const nullable = options.some((option) => option.type === "null");
  const kind = kindOf(main);
  const field: Field = {
    name,
    title: String(property.title ?? name),
    help: String(property.description ?? ""),
    kind,
    optional: nullable || (!required && property.default === undefined),
    initial: textOf(property.default, kind),
  };
  const low = main.minimum ?? main.exclusiveMinimum;
  const high = main.maximum ?? main.exclusiveMaximum;
  if (typeof low === "number") Object.assign(field, { minimum: low, above: main.minimum === undefined });
  if (typeof high === "number") Object.assign(field, { maximum: high, below: main.maximum === undefined });
  if (typeof main.pattern === "string") field.pattern = main.pattern;
  if (typeof main.maxLength === "number") field.longest = main.maxLength;
  if (Array.isArray(main.enum)) field.choices = main.enum.map(String);
  if (kind === "list") field.item = fieldOf("", (main.items ?? { type: "string" }) as Schema, root, true);
  return field;
}

function resolved(schema: Schema, root: Schema): Schema {
  const reference = typeof schema.$ref === "string" ? schema.$ref.replace("#/$defs/", "") : null;
  const found = reference ? ((root.$defs ?? {}) as Record<string, Schema>)[reference] : undefined;
  return found ? { ...found, ...schema } : schema;
}

function kindOf(schema: Schema): FieldKind {
  if (Array.isArray(schema.enum)) return "choice";
  switch (schema.type) {
    case "integer":
    case "number":
      return schema.type;
    case "boolean":
      return "switch";
    case "array":
      return ["integer", "number", "string"].includes(String((schema.items as Schema | undefined)?.type ?? "string")) ? "list" : "json";
    case "object":
      return (schema.additionalProperties as Schema | undefined)?.type === "string" ? "pairs" : "json";
    case "string":
      return "text";
    default:
      return "json";
  }
}

/** A value as it stands in the form. */
export function textOf(value: unknown, kind: FieldKind): string {
  if (value === null || value === undefined) return "";
  if (kind === "list" && Array.isArray(value)) return value.join("\n");
  if (kind === "pairs")
    return Object.entries(value as Record<string, string>)
      .map(([key, one]) => `${key}=${one}`)
      .join("\n");
  if (kind === "json") return Object.keys(value as object).length ? JSON.stringify(value, null, 2) : "";
  return String(value);
}

/** What is typed as a value, or what is wrong with it. */
export function parseField(field: Field, text: string): Parsed {
  const trimmed = text.trim();
  if (field.kind === "switch") return { value: text === "true" };
  if (field.kind === "list") return parseList(field, text);
  if (field.kind === "pairs") return parsePairs(text);
  if (field.kind === "json") return parseJson(trimmed);
  if (!trimmed) return field.optional ? { value: null } : { problem: "Give a value." };
  if (field.kind === "integer" || field.kind === "number") return parseNumber(field, trimmed);
  if (field.longest !== undefined && text.length > field.longest)
    return { problem: `At most ${field.longest} characters; it has ${text.length}.` };
  if (field.pattern && !new RegExp(field.pattern, "u").test(text)) return { problem: `Does not have the form it needs: ${field.pattern}` };
  return { value: text };
}

function parseNumber(field: Field, text: string): Parsed {
  const value = Number(text.replace(/^\+/, ""));
  if (!Number.isFinite(value) || !/^[+-]?(\d|\.\d)/.test(text) || /^[+-]?0[xob]/i.test(text)) return { problem: "Give a number." };
  if (field.kind === "integer" && !Number.isInteger(value)) return { problem: "Give a whole number." };
  if (field.minimum !== undefined && (field.above ? value <= field.minimum : value < field.minimum)) {
    return { problem: field.above ? `Must be more than ${field.minimum}.` : `At least ${field.minimum}.` };
  }
  if (field.maximum !== undefined && (field.below ? value >= field.maximum : value > field.maximum)) {
    return { problem: field.below ? `Must be less than ${field.maximum}.` : `At most ${field.maximum}.` };
  }
  return { value };
}

function parseList(field: Field, text: string): Parsed {
  const item = field.item;
  const parts = item?.kind === "text" ? text.split("\n").filter((line) => line !== "") : text.split(/[\s,]+/).filter(Boolean);
  const values: unknown[] = [];
  for (const part of parts) {
    const parsed = item ? parseField({ ...item, optional: false }, part) : { value: part };
    if ("problem" in parsed) return { problem: `${part}: ${parsed.problem}` };
    values.push(parsed.value);
  }
  return { value: values };
}

function parsePairs(text: string): Parsed {
  const pairs: Record<string, string> = {};
  for (const line of text.split("\n")) {
    if (!line.trim()) continue;
    const at = line.indexOf("=");
    if (at < 1) return { problem: `Write each line as NAME=value; "${line.trim()}" is not.` };
    pairs[line.slice(0, at).trim()] = line.slice(at + 1);
  }
  return { value: pairs };
}

function parseJson(text: string): Parsed {
  if (!text) return { value: {} };
  try {
    const value: unknown = JSON.parse(text);
    if (value && typeof value === "object" && !Array.isArray(value)) return { value };
  } catch {
    // said below
  }
  return { problem: 'Give a JSON object, such as {"lr": 0.1}.' };
}

/** The bounds of a field in words, for its help. */
export function boundsOf(field: Field): string {
  const low = field.minimum === undefined ? "" : formatNumber(field.minimum);
  const high = field.maximum === undefined ? "" : formatNumber(field.maximum);
  if (low && high && !field.above && !field.below) return `${low} to ${high}`;
  const least = low && (field.above ? `more than ${low}` : `at least ${low}`);
  const most = high && (field.below ? `less than ${high}` : `at most ${high}`);
  return [least, most].filter(Boolean).join(", ");
}
