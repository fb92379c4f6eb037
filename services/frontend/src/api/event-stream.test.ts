// @vitest-environment jsdom
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { EventParser, follow } from "./event-stream";
import { setToken } from "./session";

const URL = "http://localhost:3000/api/v1/jobs/j1/logs/stream";
const server = setupServer();
beforeAll(() => server.listen({ onUnhandledFrame: "error" }));
afterEach(() => {
  server.resetHandlers();
  setToken(null);
});
afterAll(() => server.close());

const stream = (text: string) => new HttpResponse(text, { headers: { "Content-Type": "text/event-stream" } });

test("events come out whole, in whatever pieces they arrive", () => {
  const text = ':\n\nid: 1:5\nevent: log\ndata: {"a":1}\ndata: 2\n\nevent: end\r\ndata: x\r\n\r\n';
  const parser = new EventParser();
  const found = [...text].flatMap((letter) => parser.push(letter));
  expect(found).toEqual([
    { event: "log", id: "1:5", data: '{"a":1}\n2' },
    { event: "end", id: "1:5", data: "x" },
  ]);
});

test("a stream that breaks is taken up after the last event seen, with the token, and ends at `end`", async () => {
  setToken("secret");
  const asked: (string | null)[] = [];
  server.use(
    http.get(URL, ({ request }) => {
      expect(request.headers.get("Authorization")).toBe("Bearer secret");
      asked.push(request.headers.get("Last-Event-ID"));
      if (asked.length === 1) return stream("id: 1:4\nevent: log\ndata: a\n\nid: 1:8\nevent: log\ndata: b\n\nevent: log\nda");
      if (asked.length === 2) return new HttpResponse(null, { status: 503 });
      return stream("id: 1:12\nevent: log\ndata: c\n\nevent: end\ndata: {}\n\n");
    }),
  );
  const seen: string[] = [];
  const connected = vi.fn();
  const onEvent = ({ event, data }: { event: string; data: string }) => seen.push(`${event} ${data}`);
  await follow(URL, { signal: new AbortController().signal, onEvent, onConnected: connected, firstPauseMs: 1 });
  expect(seen).toEqual(["log a", "log b", "log c", "end {}"]);
  expect(asked).toEqual([null, "1:8", "1:8"]);
  expect(connected.mock.calls.flat()).toEqual([true, false, false, true]);
});

test("a refusal for good ends it, in the server's words", async () => {
  server.use(http.get(URL, () => HttpResponse.json({ title: "Not Found", status: 404, detail: "there is no job j1" }, { status: 404 })));
  await expect(follow(URL, { signal: new AbortController().signal, onEvent: () => undefined })).rejects.toThrow("there is no job j1");
});
