/** A folder of code as a .zip, made in the browser. The same files make the same bytes, which the server then knows already. */

export interface CodeFile {
  /** Inside the folder, with slashes. */
  path: string;
  file: File;
}

const LEFT_OUT = new Set([
  ".git",
  ".hg",
  ".svn",
  "__pycache__",
  "node_modules",
  ".venv",
  "venv",
  ".mypy_cache",
  ".ruff_cache",
  ".pytest_cache",
  ".idea",
  ".vscode",
  "mlruns",
  ".DS_Store",
]);
const MOST_FILES = 10_000;
/** The earliest time a .zip can hold. */
const MTIME = new Date(1980, 0, 1);

/** The files that go along: without version control, caches and environments. */
export function wanted(files: readonly CodeFile[]): CodeFile[] {
  return files.filter(({ path }) => !path.endsWith(".pyc") && !path.split("/").some((part) => LEFT_OUT.has(part)));
}

/** The files of an `<input webkitdirectory>`, their paths without the folder's own name. */
export function filesOfInput(list: FileList): CodeFile[] {
  return [...list].map((file) => ({ path: file.webkitRelativePath.split("/").slice(1).join("/") || file.name, file }));
}

/** The files of what was dropped: of one folder, or single files. */
export async function filesOfDrop(items: DataTransferItemList): Promise<CodeFile[]> {
  const entries = [...items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const [only] = entries;
  const found: CodeFile[] = [];
  if (entries.length === 1 && only?.isDirectory) await collect(only as FileSystemDirectoryEntry, "", found);
  else for (const entry of entries) await add(entry, "", found);
  return found;
}

async function add(entry: FileSystemEntry, below: string, found: CodeFile[]): Promise<void> {
  if (LEFT_OUT.has(entry.name)) return;
  if (entry.isDirectory) return collect(entry as FileSystemDirectoryEntry, `${below}${entry.name}/`, found);
  const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
  found.push({ path: below + entry.name, file });
}

async function collect(folder: FileSystemDirectoryEntry, below: string, found: CodeFile[]): Promise<void> {
  const reader = folder.createReader();
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) return;
    for (const entry of batch) await add(entry, below, found);
  }
}

/** The .zip to send: a single .zip as it is, everything else packed. Raises Error with what is wrong, in words. */
export async function pack(files: readonly CodeFile[]): Promise<File> {
  const [first] = files;
  if (files.length === 1 && first?.path.endsWith(".zip")) return first.file;
  const chosen = wanted(files).sort((a, b) => (a.path < b.path ? -1 : 1));
  if (chosen.length === 0) throw new Error("There is no file in it that could be code. Choose the folder with your program.");
  if (chosen.length > MOST_FILES)
    throw new Error(`It has ${chosen.length} files; ${MOST_FILES} are the most. Choose the folder with your program only.`);
  const { zipSync } = await import("fflate");
  const contents: Record<string, Uint8Array> = {};
  for (const { path, file } of chosen) contents[path] = new Uint8Array(await file.arrayBuffer());
  return new File([zipSync(contents, { level: 6, mtime: MTIME }) as Uint8Array<ArrayBuffer>], "code.zip", { type: "application/zip" });
}
