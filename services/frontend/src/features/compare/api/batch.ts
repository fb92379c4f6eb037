import { getComparison, type ComparedJobView } from "@/api/generated";
import { ApiError } from "@/api/problem";

/** Jobs that are asked for within this time go together: the queries of a page all begin at once. */
const GATHER_MS = 5;
/** Jobs in one request: few requests, and the first curves early. */
const TOGETHER = 25;

interface Waiting {
  id: string;
  resolve: (found: ComparedJobView) => void;
  reject: (error: unknown) => void;
}

const queues = new Map<number, Waiting[]>();

/** One job with at most `points` of each of its series; fetched together with others that are asked for at the same time. */
export function loadCompared(id: string, points: number): Promise<ComparedJobView> {
  return new Promise((resolve, reject) => {
    const queue = queues.get(points) ?? [];
    if (queue.length === 0) {
      queues.set(points, queue);
      setTimeout(() => flush(points), GATHER_MS);
    }
    queue.push({ id, resolve, reject });
  });
}

function flush(points: number): void {
  const queue = queues.get(points) ?? [];
  queues.delete(points);
  for (let start = 0; start < queue.length; start += TOGETHER) void fetchTogether(queue.slice(start, start + TOGETHER), points);
}

async function fetchTogether(waiting: Waiting[], points: number): Promise<void> {
  try {
    const { data } = await getComparison({ query: { job: waiting.map(({ id }) => id), points }, throwOnError: true });
    const found = new Map(data.items.map((item) => [item.job.id, item]));
    for (const { id, resolve, reject } of waiting) {
      const item = found.get(id);
      if (item) resolve(item);
      else reject(new ApiError(`There is no job ${id}.`, 404));
    }
  } catch (error) {
    for (const { reject } of waiting) reject(error);
  }
}
