/** What happened to a job besides its stages, in sentences. */
import { formatBytes, formatNumber, formatSpan, plural, sentence } from "./format";

export interface Happening {
  id: number;
  attempt: number;
  time: string;
  tone: "plain" | "notice" | "failure";
  text: string;
}

export interface JobEvent {
  id: number;
  attempt: number;
  time: string;
  kind: string;
  name: string;
  detail: Record<string, unknown> | null;
}

const number = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null);
const text = (value: unknown): string | null => (typeof value === "string" && value ? value : null);

const STATES: Record<string, string> = {
  QUEUED: "Waits.",
  STARTING: "Starts.",
  RUNNING: "Runs.",
  RETRYING: "Is tried again.",
  SUCCEEDED: "Succeeded.",
  FAILED: "Failed.",
  CANCELLED: "Was cancelled.",
};

/** From which step training went on, and what that cost; null for an event that is no resume. */
export function resumeInWords(event: Pick<JobEvent, "kind" | "name" | "detail">): string | null {
  if (event.kind !== "resume") return null;
  const step = number(event.detail?.step);
  if (step === null) return sentence(event.name);
  const source = text(event.detail?.source_job);
  if (source) return `Started from the checkpoint of step ${formatNumber(step)} of job ${source}.`;
  const lost = number(event.detail?.lost_steps);
  const cost = lost === null ? "" : lost === 0 ? "; no step was lost" : `; ${plural(lost, "step")} had to be done again`;
  return `Went on from the checkpoint of step ${formatNumber(step)}${cost}.`;
}

/** The events that say something, first to last. Checkpoints in a row are one entry: the last of them, and how many there were. */
export function happenings(events: readonly JobEvent[]): Happening[] {
  const found: Happening[] = [];
  let inRow = 0;
  for (const event of events) {
    const tone = event.kind === "failure" ? "failure" : event.kind === "notice" || event.kind === "resume" ? "notice" : "plain";
    const said = inWords(event);
    if (said === null) continue;
    const previous = found[found.length - 1];
    inRow =
      event.kind === "checkpoint" && (inRow === 0 || previous?.attempt === event.attempt) ? inRow + 1 : Number(event.kind === "checkpoint");
    if (inRow > 1) found.pop();
    found.push({
      id: event.id,
      attempt: event.attempt,
      time: event.time,
      tone,
      text: inRow > 1 ? `${said.slice(0, -1)}, the last of ${formatNumber(inRow)}.` : said,
    });
  }
  return found;
}

function inWords(event: JobEvent): string | null {
  switch (event.kind) {
    case "state":
      return STATES[event.name] ?? sentence(event.name);
    case "checkpoint":
      return checkpointInWords(event);
    case "resume":
      return resumeInWords(event);
    case "notice":
    case "failure":
      return sentence(text(event.detail?.reason) ?? event.name);
    default:
      return null;
  }
}

function checkpointInWords({ name, detail }: JobEvent): string {
  const step = number(detail?.step);
  const bytes = number(detail?.bytes);
  const seconds = number(detail?.seconds);
  const what = step === null ? `Saved checkpoint ${name}` : `Saved the checkpoint of step ${formatNumber(step)}`;
  const cost = [bytes === null ? "" : formatBytes(bytes), seconds === null ? "" : `in ${formatSpan(seconds)}`].filter(Boolean).join(" ");
  return `${what}${cost ? ` (${cost})` : ""}.`;
}
