// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, renderHook, waitFor } from "@testing-library/react";
import { http, HttpResponse } from "msw";
import { setupServer } from "msw/node";
import type { ReactNode } from "react";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { setUpClient } from "@/api/client";
import { useCompared } from "./use-compared";

const IDS = Array.from({ length: 60 }, (_, index) => `j${index}`);
const job = (id: string) => ({
  id,
  name: `run ${id}`,
  state: "SUCCEEDED",
  created_at: "2026-01-01T00:00:00Z",
  finished_at: "2026-01-01T00:01:00Z",
  parameters: { lr: 0.1 },
});
const server = setupServer(
  http.get("*/api/v1/comparison", ({ request }) => {
    const ids = new URL(request.url).searchParams.getAll("job").filter((id) => id !== "gone");
    const series = [{ key: "loss", count: 1, steps: [1], values: [0.5], timestamps: [1] }];
    return HttpResponse.json({ items: ids.map((id) => ({ job: job(id), series })) });
  }),
);
beforeAll(() => {
  server.listen({ onUnhandledFrame: "bypass" });
  setUpClient();
});
afterEach(() => {
  cleanup();
  server.resetHandlers();
});
afterAll(() => server.close());

function render(ids: string[]) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const counted = { renders: 0 };
  const hook = renderHook(
    (wanted: string[]) => {
      counted.renders += 1;
      return useCompared(wanted, 50);
    },
    {
      initialProps: ids,
      wrapper: ({ children }: { children: ReactNode }) => <QueryClientProvider client={client}>{children}</QueryClientProvider>,
    },
  );
  return { hook, counted };
}

test("many answers are shown together, in the order of the ids, and a job that leaves is gone", { timeout: 60_000 }, async () => {
  const { hook, counted } = render(IDS);
  await waitFor(() => expect(hook.result.current.part).toBe(1), { timeout: 50_000 });
  expect(hook.result.current.jobs.map(({ id }) => id)).toEqual(IDS);
  expect(hook.result.current.jobs.every(({ series }) => series.length === 1)).toBe(true);
  expect(counted.renders).toBeLessThan(IDS.length);
  hook.rerender(IDS.slice(0, 2));
  expect(hook.result.current.jobs.map(({ id }) => id)).toEqual(IDS.slice(0, 2));
});

test("a job that is gone is told, and the others stay", { timeout: 60_000 }, async () => {
  const { hook } = render(["j0", "gone"]);
  await waitFor(() => expect(hook.result.current.problem).toMatchObject({ message: "There is no job gone." }), { timeout: 50_000 });
  await waitFor(() => expect(hook.result.current.jobs).toHaveLength(1), { timeout: 50_000 });
});
