/** Files from the API, saved under a name. */
import { fetchFromApi } from "./client";
import { portalConfig } from "./config";
import { errorOf } from "./problem";

const REVOKE_MS = 60_000;

/**
 * Save what the API has at `path` (below /api/v1). Where the API asks for a token, a link could not carry it: the file goes through the page then,
 * and is saved when it is whole. Raises ApiError.
 */
export async function downloadFile(path: string, name: string): Promise<void> {
  if (portalConfig().auth === "none") {
    save(`/api/v1${path}`, name);
    return;
  }
  const response = await fetchFromApi(`/api/v1${path}`);
  if (!response.ok) throw errorOf(response.status, await response.json().catch(() => null));
  const address = URL.createObjectURL(await response.blob());
  save(address, name);
  setTimeout(() => URL.revokeObjectURL(address), REVOKE_MS);
}

function save(address: string, name: string): void {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}
