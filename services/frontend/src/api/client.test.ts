// @vitest-environment jsdom
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { setUpClient } from "./client";
import { lostSince, onRecovery } from "./connection";
import { getJob } from "./generated";
import { ApiError, Unreachable } from "./problem";
import { setToken, takeTokenFromAddress, token } from "./session";

const server = setupServer();
beforeAll(() => {
  server.listen({ onUnhandledFrame: "error" });
  setUpClient();
});
afterEach(() => {
  server.resetHandlers();
  setToken(null);
});
afterAll(() => server.close());

const read = () => getJob({ path: { job_id: "j1" }, throwOnError: true });
const JOB = "*/api/v1/jobs/j1";

test("a problem is an error with the server's words and fields", async () => {
  const errors = [{ field: "parameters.epochs", message: "is too small", fix: "use 1" }];
  server.use(http.get(JOB, () => HttpResponse.json({ title: "Invalid", detail: "epochs is too small", errors }, { status: 422 })));
  const error = await read().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ message: "epochs is too small", status: 422, fields: errors });
});

test("a token that the API no longer takes is forgotten", async () => {
  setToken("old");
  server.use(http.get(JOB, () => HttpResponse.json({ detail: "this is not the API's token" }, { status: 401 })));
  await expect(read()).rejects.toThrow("this is not the API's token");
  expect(token.get()).toBeNull();
});

test("a server that is gone is said to be, and asked until it is back", async () => {
  let up = false;
  const recovered = vi.fn();
  const stop = onRecovery(recovered);
  server.use(
    http.get(JOB, () => HttpResponse.error()),
    http.get("*/api/v1/templates", () => (up ? HttpResponse.json({ items: [] }) : new HttpResponse(null, { status: 502 }))),
  );
  vi.useFakeTimers({ shouldAdvanceTime: true, advanceTimeDelta: 200 });
  await expect(read()).rejects.toBeInstanceOf(Unreachable);
  expect(lostSince.get()).not.toBeNull();
  up = true;
  await vi.waitFor(() => expect(recovered).toHaveBeenCalledOnce(), { timeout: 20_000 });
  vi.useRealTimers();
  stop();
  expect(lostSince.get()).toBeNull();
});

test("the token goes from the address into the tab", () => {
  window.history.replaceState(null, "", "/jobs?q=a#token=abc%2Bd");
  takeTokenFromAddress(window.location, window.history);
  expect(token.get()).toBe("abc+d");
  expect(window.location.href).toMatch(/\/jobs\?q=a$/);
});
