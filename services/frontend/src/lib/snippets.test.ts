import { expect, test } from "vitest";
import { asCommand, asJson, asPython, changed } from "./snippets";

const body = {
  template: "script",
  name: "my run",
  parameters: { entry: "train.py", workers: 2, arguments: ["--lr", "0.1", "it's"], env: { A: "b c" }, min_workers: null },
  code: "f".repeat(64),
  data: null,
  team: null,
  tags: { owner: "mia" },
  retries: 1,
  deadline_seconds: 600,
  image: null,
  resume: null,
  checkpoints: null,
};

test("the command quotes for the shell and ends with the script's own arguments", () => {
  expect(asCommand(body)).toBe(
    [
      "trainyard submit",
      "./my-code",
      "--entry train.py",
      "--name 'my run'",
      "--workers 2",
      `-p 'env={"A":"b c"}'`,
      "--tag owner=mia",
      "--retries 1",
      "--deadline 600s",
      "-- --lr 0.1 'it'\\''s'",
    ].join(" \\\n  "),
  );
});

test("Python uploads the code and names everything", () => {
  const text = asPython(body);
  expect(text).toContain('code = client.upload_code(Path("my-code.zip"))');
  expect(text).toContain('"min_workers": None,');
  expect(text).toContain('"arguments": ["--lr", "0.1", "it\'s"],');
  expect(text).toContain('tags={\n        "owner": "mia",\n    },');
});

test("JSON is the body itself", () => expect(JSON.parse(asJson(body))).toEqual(body));

test("parameters at their defaults are left out", () => {
  expect(changed({ epochs: 3, width: 32, seed: null }, { epochs: 15, width: 32 })).toEqual({ epochs: 3 });
});
