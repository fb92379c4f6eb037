/** What part of an axis is shown, and how keys and buttons change it. */

export type Range = readonly [low: number, high: number];

/** A range may be this much smaller than the whole at most. */
const SMALLEST_PART = 1e-4;

/** The range about its middle, smaller for a `factor` below 1 and larger above it; never outside of the whole. */
export function zoomed([low, high]: Range, whole: Range, factor: number): Range {
  const span = Math.min(whole[1] - whole[0], Math.max((high - low) * factor, (whole[1] - whole[0]) * SMALLEST_PART));
  const middle = (low + high) / 2;
  return within([middle - span / 2, middle + span / 2], whole);
}

/** The range moved by a part of itself, as far as the whole goes. */
export function moved([low, high]: Range, whole: Range, part: number): Range {
  const by = (high - low) * part;
  return within([low + by, high + by], whole);
}

function within([low, high]: Range, [least, most]: Range): Range {
  if (high - low >= most - least) return [least, most];
  const by = low < least ? least - low : high > most ? most - high : 0;
  return [low + by, high + by];
}

const KEYS: Record<string, (shown: Range, whole: Range) => Range> = {
  "+": (shown, whole) => zoomed(shown, whole, 0.5),
  "=": (shown, whole) => zoomed(shown, whole, 0.5),
  "-": (shown, whole) => zoomed(shown, whole, 2),
  ArrowLeft: (shown, whole) => moved(shown, whole, -0.2),
  ArrowRight: (shown, whole) => moved(shown, whole, 0.2),
  Home: (shown, whole) => [whole[0], whole[0] + shown[1] - shown[0]],
  End: (shown, whole) => [whole[1] - shown[1] + shown[0], whole[1]],
  "0": (_, whole) => whole,
  Escape: (_, whole) => whole,
};

/** What a key makes of the shown range; null when it does nothing. */
export function afterKey(key: string, shown: Range, whole: Range): Range | null {
  const change = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
  return whole[1] > whole[0] ? (change?.(shown, whole) ?? null) : null;
}
