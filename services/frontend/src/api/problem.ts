import type { Problem, ProblemField } from "./generated";

/** What the API answered instead of what was asked for; `message` is fit to be shown. */
export class ApiError extends Error {
  readonly status: number;
  readonly fields: ProblemField[];

  constructor(message: string, status: number, fields: ProblemField[] = []) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.fields = fields;
  }
}

/** The server cannot be reached, or a proxy in front of it says so. */
export class Unreachable extends ApiError {
  constructor(message = "The server does not answer. It may be restarting.") {
    super(message, 0);
    this.name = "Unreachable";
  }
}

/** An answer that is no success, as an error. */
export function errorOf(status: number, body: unknown): ApiError {
  const problem = body && typeof body === "object" ? (body as Partial<Problem>) : {};
  const detail = typeof problem.detail === "string" ? problem.detail : "";
  if (!detail && (status === 502 || status === 503 || status === 504)) return new Unreachable();
  return new ApiError(detail || problem.title || `The server answered with status ${status}.`, status, problem.errors ?? []);
}

/** The sentence of any error. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
