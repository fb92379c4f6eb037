/** Terminal colours in log lines, as runs of text with a look. Everything else that terminals understand is dropped; nothing becomes markup. */

export interface Run {
  text: string;
  /** 0-15: one of the terminal's colours; "#rrggbb": an exact one. */
  color?: number | string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
}

type Look = Omit<Run, "text">;

// CSI sequences (of which those ending in "m" set the look), OSC sequences, and other escapes; written as code points, for the linter's sake.
const ESC = String.fromCharCode(27);
const BEL = String.fromCharCode(7);
const ESCAPES = new RegExp(`${ESC}(?:\\[([0-9;:?]*)[ -/]*([@-~])|\\][^${BEL}${ESC}]*(?:${BEL}|${ESC}\\\\)?|[@-Z\\\\^_])`, "g");
const CONTROLS = new RegExp(
  `[${String.fromCharCode(0)}-${String.fromCharCode(8)}${String.fromCharCode(11)}-${String.fromCharCode(31)}]`,
  "g",
);

/** What a terminal would show of a line in which carriage returns went back to its start. */
function lastWritten(line: string): string {
  const end = line.endsWith("\r") ? line.length - 1 : line.length;
  return line.slice(line.lastIndexOf("\r", end - 1) + 1, end);
}

/** The line without any terminal sequences. */
export function plainText(line: string): string {
  const text = line.includes("\r") ? lastWritten(line) : line;
  return text.includes(ESC) ? text.replace(ESCAPES, "").replace(CONTROLS, "") : text;
}

/** The line as runs of text. */
export function parseAnsi(raw: string): Run[] {
  const line = raw.includes("\r") ? lastWritten(raw) : raw;
  if (!line.includes(ESC)) return [{ text: line.replace(CONTROLS, "") }];
  const runs: Run[] = [];
  let look: Look = {};
  let from = 0;
  const add = (to: number) => {
    const text = line.slice(from, to).replace(CONTROLS, "");
    if (text) runs.push({ text, ...look });
  };
  for (const match of line.matchAll(ESCAPES)) {
    add(match.index);
    from = match.index + match[0].length;
    if (match[2] === "m") look = applied(look, match[1] ?? "");
  }
  add(line.length);
  return runs;
}

function applied(before: Look, parameters: string): Look {
  const codes = parameters.split(/[;:]/).map((code) => Number(code || 0));
  let look = { ...before };
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    if (code === 0) look = {};
    else if (code === 1) look.bold = true;
    else if (code === 2) look.dim = true;
    else if (code === 3) look.italic = true;
    else if (code === 4) look.underline = true;
    else if (code === 22) look.bold = look.dim = false;
    else if (code === 23) look.italic = false;
    else if (code === 24) look.underline = false;
    else if (code >= 30 && code <= 37) look.color = code - 30;
    else if (code >= 90 && code <= 97) look.color = code - 82;
    else if (code === 39) delete look.color;
    else if (code === 38 || code === 48) {
      const exact = codes[index + 1] === 2;
      const color = exact ? hex(codes.slice(index + 2, index + 5)) : indexed(codes[index + 2] ?? 7);
      if (code === 38) look.color = color;
      index += exact ? 4 : 2;
    }
  }
  return look;
}

function hex(parts: number[]): string {
  return `#${[0, 1, 2]
    .map((at) =>
      Math.min(255, parts[at] ?? 0)
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}

/** A colour of the 256: the terminal's 16, a cube of 6 x 6 x 6, 24 greys. */
function indexed(index: number): number | string {
  if (index < 16) return index;
  if (index >= 232) return hex([0, 1, 2].map(() => 8 + (index - 232) * 10));
  const cube = index - 16;
  return hex([Math.floor(cube / 36), Math.floor(cube / 6) % 6, cube % 6].map((level) => (level ? 55 + level * 40 : 0)));
}
