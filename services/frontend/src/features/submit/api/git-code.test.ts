// @vitest-environment jsdom
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { setUpClient } from "@/api/client";
import { fetchGitCode } from "./git-code";

const CODE = "*/api/v1/code/git";
const server = setupServer();
beforeAll(() => {
  server.listen({ onUnhandledFrame: "bypass" });
  setUpClient();
});
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

test("what is left empty is the default branch, and the whole repository", async () => {
  const source = { url: "https://host/a.git", commit: "c".repeat(40) };
  server.use(
    http.post(CODE, async ({ request }) => {
      expect(await request.json()).toEqual({ url: "https://host/a.git", ref: "HEAD", folder: null });
      return HttpResponse.json({ id: "f".repeat(64), name: "a", size: 1, files: ["train.py"], created_at: "", source }, { status: 201 });
    }),
  );
  expect((await fetchGitCode({ url: " https://host/a.git ", ref: "", folder: " " })).source).toEqual(source);
});

test("what the server finds wrong is said with its remedy", async () => {
  const errors = [{ field: "ref", message: "there is no branch, tag or commit v9", fix: "name one that is there" }];
  server.use(http.post(CODE, () => HttpResponse.json({ title: "Invalid", detail: "the request is invalid", errors }, { status: 422 })));
  await expect(fetchGitCode({ url: "https://host/a.git", ref: "v9", folder: "" })).rejects.toThrow(
    "there is no branch, tag or commit v9; name one that is there",
  );
});
