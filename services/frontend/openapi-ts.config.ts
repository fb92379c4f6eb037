// Generates src/api/generated from the API's document; run by `npm run client`, and compared with the document by the tests.
import { readFileSync } from "node:fs";
import { defineConfig } from "@hey-api/openapi-ts";

interface Operation {
  operationId?: string;
}

const document = JSON.parse(readFileSync(new URL("../api/openapi.json", import.meta.url), "utf8")) as {
  paths: Record<string, Record<string, Operation>>;
};

// The document's ids are `<blueprint>_<function>_<path>_<method>`; functions begin with a verb, and their names alone are unique.
const FUNCTION = /(?:^|_)((?:list|get|create|preview|update|delete|cancel|retry|clone|stream)_.+)$/;

for (const [path, methods] of Object.entries(document.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    if (!operation.operationId) continue;
    const suffix = `${path.replace("/api/v1", "").replace(/[^A-Za-z0-9]/g, "_")}_${method}`;
    const [name] = operation.operationId.split(suffix);
    operation.operationId = FUNCTION.exec(name ?? "")?.[1] ?? operation.operationId;
  }
}

export default defineConfig({
  input: document as never,
  output: { path: "src/api/generated", postProcess: [] },
  plugins: ["@hey-api/typescript", "@hey-api/sdk", "@hey-api/client-fetch"],
});
