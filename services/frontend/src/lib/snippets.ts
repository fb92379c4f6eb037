/** The job of the form as somebody would submit it elsewhere: on the command line, in Python, over HTTP. */

export interface Body {
  template: string;
  name: string | null;
  parameters: Record<string, unknown>;
  code: string | null;
  data: string | null;
  team: string | null;
  tags: Record<string, string>;
  retries: number;
  deadline_seconds: number | null;
  /** The container image; null: the platform's own. */
  image: string | null;
  /** The checkpoint of another job that training goes on from; without a step the newest one. */
  resume: { job: string; step: number | null } | null;
  /** null: the newest two are kept. */
  checkpoints: { keep: number; best_metric: string | null; best_mode: "min" | "max" } | null;
}

/** What is left of the parameters when those that are at their defaults are left out. */
export function changed(parameters: Record<string, unknown>, defaults: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(parameters).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(defaults[name] ?? null)),
  );
}

/** The word, quoted for a shell where it has to be. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** `trainyard submit ...`; code is named by a folder, because the command packs it itself. */
export function asCommand(body: Body): string {
  const { entry, arguments: argv, config, workers, ...rest } = body.parameters;
  const own = body.template === "script" || body.template === "function";
  const words = ["trainyard submit", own ? "./my-code" : body.template];
  if (body.template === "script") words.push(`--entry ${shellWord(String(entry ?? "train.py"))}`);
  if (body.template === "function") words.push(`--function ${shellWord(String(entry ?? "train:main"))}`);
  if (body.name) words.push(`--name ${shellWord(body.name)}`);
  if (workers !== undefined) words.push(`--workers ${String(workers)}`);
  for (const [name, value] of Object.entries(rest)) if (value !== null) words.push(`-p ${shellWord(`${name}=${plain(value)}`)}`);
  for (const [name, value] of Object.entries((config ?? {}) as object)) words.push(`-c ${shellWord(`${name}=${plain(value)}`)}`);
  if (body.data) words.push(`--data ${body.data}`);
  if (body.image) words.push(`--image ${shellWord(body.image)}`);
  if (body.team) words.push(`--team ${shellWord(body.team)}`);
  for (const [key, value] of Object.entries(body.tags)) words.push(`--tag ${shellWord(`${key}=${value}`)}`);
  if (body.retries) words.push(`--retries ${body.retries}`);
  if (body.deadline_seconds) words.push(`--deadline ${body.deadline_seconds}s`);
  if (Array.isArray(argv) && argv.length) words.push(`-- ${argv.map((word) => shellWord(String(word))).join(" ")}`);
  return words.join(" \\\n  ");
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The same with the Python client. */
export function asPython(body: Body): string {
  const own = body.code !== null || body.template === "script" || body.template === "function";
  const lines = [`    "${body.template}",`, `    ${python(body.parameters, 1)},`];
  if (body.name) lines.push(`    name=${python(body.name)},`);
  if (own) lines.push("    code=code.id,");
  if (body.data) lines.push(`    data=${python(body.data)},`);
  if (body.image) lines.push(`    image=${python(body.image)},`);
  if (body.team) lines.push(`    team=${python(body.team)},`);
  if (Object.keys(body.tags).length) lines.push(`    tags=${python(body.tags, 1)},`);
  if (body.retries) lines.push(`    retries=${body.retries},`);
  if (body.deadline_seconds) lines.push(`    deadline_seconds=${body.deadline_seconds},`);
  const head = own
    ? [
        "from pathlib import Path",
        "",
        "from trainyard import Client",
        "",
        "client = Client()",
        'code = client.upload_code(Path("my-code.zip"))',
      ]
    : ["from trainyard import Client", "", "client = Client()"];
  return [...head, "job = client.submit(", ...lines, ")", "print(client.wait_for_job(job.id).state)"].join("\n");
}

function python(value: unknown, depth = 0): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map((one) => python(one, depth)).join(", ")}]`;
  if (typeof value === "object") {
    const entries = Object.entries(value).map(
      ([key, one]) => `${"    ".repeat(depth + 1)}${JSON.stringify(key)}: ${python(one, depth + 1)},`,
    );
    return entries.length ? `{\n${entries.join("\n")}\n${"    ".repeat(depth)}}` : "{}";
  }
  return JSON.stringify(value);
}

/** The body of POST /api/v1/jobs. */
export function asJson(body: Body): string {
  return JSON.stringify(body, null, 2);
}
