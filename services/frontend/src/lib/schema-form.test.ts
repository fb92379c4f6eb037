import { expect, test } from "vitest";
import { boundsOf, type Field, fieldsOf, parseField, textOf } from "./schema-form";

const schema = {
  properties: {
    workers: { type: "integer", minimum: 1, maximum: 1024, default: 1, title: "Workers" },
    learning_rate: { type: "number", exclusiveMinimum: 0, maximum: 100, default: 0.001 },
    memory: { anyOf: [{ type: "number", exclusiveMinimum: 0 }, { type: "null" }], default: null },
    optimizer: { type: "string", enum: ["adamw", "sgd"], default: "adamw" },
    hidden: { type: "array", items: { type: "integer", minimum: 1 }, default: [64, 32] },
    arguments: { type: "array", items: { type: "string" }, default: [] },
    env: { type: "object", additionalProperties: { type: "string" }, default: {} },
    config: { type: "object", additionalProperties: true, default: {} },
    entry: { type: "string", pattern: "^\\w+\\.py$" },
    size: { $ref: "#/$defs/Size" },
  },
  required: ["entry"],
  $defs: { Size: { type: "integer", minimum: 8, title: "Size" } },
};
const fields = Object.fromEntries(fieldsOf(schema).map((field) => [field.name, field]));
const field = (name: string): Field => {
  const found = fields[name];
  if (!found) throw new Error(name);
  return found;
};
const parsed = (name: string, text: string) => parseField(field(name), text);

test("a schema's types become kinds of fields, with defaults, bounds and references resolved", () => {
  expect(Object.values(fields).map(({ kind }) => kind)).toEqual([
    "integer",
    "number",
    "number",
    "choice",
    "list",
    "list",
    "pairs",
    "json",
    "text",
    "integer",
  ]);
  expect(field("workers")).toMatchObject({ title: "Workers", initial: "1", optional: false, minimum: 1, maximum: 1024 });
  expect(field("size")).toMatchObject({ title: "Size", minimum: 8 });
  expect([boundsOf(field("workers")), boundsOf(field("learning_rate")), boundsOf(field("size"))]).toEqual([
    "1 to 1,024",
    "more than 0, at most 100",
    "at least 8",
  ]);
});

test("what is typed becomes a value of the field's type", () => {
  expect(parsed("workers", " 4 ")).toEqual({ value: 4 });
  expect(parsed("learning_rate", "3e-4")).toEqual({ value: 0.0003 });
  expect(parsed("memory", "")).toEqual({ value: null });
  expect(parsed("hidden", "64, 32 16")).toEqual({ value: [64, 32, 16] });
  expect(parsed("arguments", "--name\nwith spaces, and commas")).toEqual({ value: ["--name", "with spaces, and commas"] });
  expect(parsed("env", "A=1\nB=x=y\n")).toEqual({ value: { A: "1", B: "x=y" } });
  expect(parsed("config", '{"lr": 0.1}')).toEqual({ value: { lr: 0.1 } });
});

test.each([
  ["workers", "0", "At least 1."],
  ["workers", "2.5", "Give a whole number."],
  ["workers", "", "Give a value."],
  ["workers", "0x10", "Give a number."],
  ["workers", "many", "Give a number."],
  ["learning_rate", "0", "Must be more than 0."],
  ["hidden", "64, none", "none: Give a number."],
  ["env", "novalue", 'Write each line as NAME=value; "novalue" is not.'],
  ["config", "[1]", 'Give a JSON object, such as {"lr": 0.1}.'],
  ["entry", "a/b", "Does not have the form it needs: ^\\w+\\.py$"],
])("%s refuses %j: %s", (name, text, problem) => expect(parsed(name, text)).toEqual({ problem }));

test("the values of an earlier job stand in the form as they would be typed", () => {
  for (const [name, value] of Object.entries({ workers: 2, hidden: [8, 4], env: { A: "b" }, config: { deep: { x: [1] } }, memory: null })) {
    expect(parsed(name, textOf(value, field(name).kind))).toEqual({ value });
  }
});
