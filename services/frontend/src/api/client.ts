/** The generated client, set up: the token goes with every call, and every failure is an ApiError. */
import { answered, unanswered } from "./connection";
import { client } from "./generated/client.gen";
import { ApiError, errorOf, Unreachable } from "./problem";
import { setToken, token } from "./session";

/** fetch with the token; says whether the server answered. Raises Unreachable, or what `signal` was aborted with. */
export async function fetchFromApi(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const current = token.get();
  if (current) request.headers.set("Authorization", `Bearer ${current}`);
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    unanswered();
    throw new Unreachable();
  }
  const answeredByApi = response.ok || (response.headers.get("Content-Type") ?? "").includes("json");
  if (answeredByApi || ![502, 503, 504].includes(response.status)) answered();
  else unanswered();
  if (response.status === 401 && token.get() === current) setToken(null);
  return response;
}

export function setUpClient(): void {
  client.setConfig({ baseUrl: window.location.origin, fetch: fetchFromApi, throwOnError: true });
  client.interceptors.error.use((error, response) => (error instanceof ApiError ? error : errorOf(response?.status ?? 0, error)));
}
