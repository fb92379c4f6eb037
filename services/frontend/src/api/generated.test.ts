import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map((entry) => join(entry.parentPath, entry.name)).map((path) => [path.slice(folder.length), readFileSync(path, "utf8")]),
  );
}

test("the generated client is that of the API's document (npm run client makes it anew)", { timeout: 60_000 }, () => {
  const fresh = mkdtempSync(join(tmpdir(), "portal-client-"));
  execFileSync("node_modules/.bin/openapi-ts", ["--output", fresh], { stdio: "pipe" });
  const made = contents(fresh);
  rmSync(fresh, { recursive: true });
  expect(contents("src/api/generated")).toEqual(made);
});
