/** Where things stand in the parallel coordinates, in pixels from the top. */

export const HEIGHT = 320;
export const TOP = 44;
export const BOTTOM = 272;
/** Below the axis: jobs without a value. */
export const NOWHERE = 294;

/** The height of a place on an axis, from 0 (bottom) to 1 (top). */
export function yOf(place: number | null): number {
  return place === null ? NOWHERE : BOTTOM - place * (BOTTOM - TOP);
}

/** The place of a height, at most the axis's ends. */
export function placeAt(y: number): number {
  return Math.min(1, Math.max(0, (BOTTOM - y) / (BOTTOM - TOP)));
}
