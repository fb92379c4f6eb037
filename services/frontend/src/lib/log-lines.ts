/** The lines of a log as they come, and the search in them. */
import { plainText } from "./ansi";

export class LogLines {
  private lines: string[] = [];
  private rest = "";
  private readonly listeners = new Set<() => void>();
  private announced = false;
  /** Counts changes, for those who follow. */
  version = 0;
  private query = "";
  private searchedTo = 0;
  private found: number[] = [];

  /** How many lines there are, the last unfinished one included. */
  get count(): number {
    return this.lines.length + (this.rest ? 1 : 0);
  }

  line(index: number): string {
    return index < this.lines.length ? (this.lines[index] ?? "") : this.rest;
  }

  /** Text that follows; it may end inside a line. */
  append(text: string): void {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) this.lines.push(line);
    this.changed();
  }

  /** Whole lines that come before everything that is here. */
  prepend(lines: string[]): void {
    this.lines = lines.concat(this.lines);
    this.query = "";
    this.changed();
  }

  /** The numbers of the lines that contain the text, in any case; lines seen by an earlier search for it are not looked at again. */
  search(query: string): readonly number[] {
    if (query !== this.query) {
      this.query = query;
      this.searchedTo = 0;
      this.found = [];
    }
    if (!query) return this.found;
    const pattern = new RegExp(query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
    const fresh: number[] = [];
    for (; this.searchedTo < this.lines.length; this.searchedTo += 1) {
      if (pattern.test(plainText(this.lines[this.searchedTo] ?? ""))) fresh.push(this.searchedTo);
    }
    if (fresh.length) this.found = this.found.concat(fresh);
    return this.found;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  getVersion = (): number => this.version;

  /** Told once per frame at most, however much arrives. */
  private changed(): void {
    if (this.announced) return;
    this.announced = true;
    const tell = () => {
      this.announced = false;
      this.version += 1;
      for (const listener of this.listeners) listener();
    };
    if (document.visibilityState === "visible") requestAnimationFrame(tell);
    else setTimeout(tell, 100);
  }
}
