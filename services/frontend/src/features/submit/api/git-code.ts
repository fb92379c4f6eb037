import { createCodeFromGit, type UploadView } from "@/api/generated";
import { ApiError } from "@/api/problem";

/** Where code is in a git repository: a branch, tag or commit (empty: the default branch), and a folder of it (empty: the whole). */
export interface GitPlace {
  url: string;
  ref: string;
  folder: string;
}

/** Has the server fetch the code. Raises ApiError with what is wrong, in words. */
export async function fetchGitCode({ url, ref, folder }: GitPlace): Promise<UploadView> {
  try {
    const body = { url: url.trim(), ref: ref.trim() || "HEAD", folder: folder.trim() || null };
    return (await createCodeFromGit({ body, throwOnError: true })).data;
  } catch (error) {
    const field = error instanceof ApiError ? error.fields[0] : undefined;
    if (!field) throw error;
    throw new ApiError(`${field.message}${field.fix ? `; ${field.fix}` : ""}`, (error as ApiError).status);
  }
}
