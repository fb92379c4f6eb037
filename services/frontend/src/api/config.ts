/** What the server that serves the portal says about itself at run time; one build serves every installation. */

export interface PortalConfig {
  /** "token": the API wants a bearer token; "none": whoever reaches the portal may call the API. */
  auth: "token" | "none";
}

let current: PortalConfig = { auth: "none" };

/** Read /config.json once, before the first page; index.html has the browser ask for it meanwhile. A server without one is taken to ask for nothing. */
export async function loadConfig(): Promise<void> {
  const response = await fetch("/config.json").catch(() => null);
  if (!response?.ok) return;
  const given = (await response.json().catch(() => ({}))) as Partial<PortalConfig>;
  current = { auth: given.auth === "token" ? "token" : "none" };
}

export function portalConfig(): PortalConfig {
  return current;
}
