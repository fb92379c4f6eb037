// @vitest-environment jsdom
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { setUpClient } from "@/api/client";
import { forgetSubmission, submitJob } from "./submit-job";

const keys: (string | null)[] = [];
const server = setupServer(
  http.post("*/api/v1/jobs", ({ request }) => {
    keys.push(request.headers.get("Idempotency-Key"));
    return keys.length === 1 ? HttpResponse.error() : HttpResponse.json({ id: "j1" }, { status: 201 });
  }),
);
beforeAll(() => {
  server.listen({ onUnhandledFrame: "bypass" });
  setUpClient();
});
beforeEach(() => keys.splice(0));
afterAll(() => server.close());

test("the same job sent again has the same key; a changed one, or one after an accepted one, has another", async () => {
  const body = { template: "tabular", parameters: { epochs: 3 } };
  await expect(submitJob(body)).rejects.toThrow("does not answer");
  await submitJob({ ...body });
  await submitJob({ ...body, name: "other" });
  forgetSubmission();
  await submitJob({ ...body, name: "other" });
  expect(keys[0]).toBe(keys[1]);
  expect(new Set(keys).size).toBe(3);
});
