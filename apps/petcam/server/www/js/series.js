// A line of recent values, and how to draw it.

/** One value a second, for two minutes. */
export const LENGTH = 120;

export class Series {
  /** @type {(number | null)[]} */
  values = [];

  /** @param {number | null} value  null: nobody knows */
  push(value) {
    this.values.push(value);
    if (this.values.length > LENGTH) this.values.shift();
  }

  get max() {
    return this.values.reduce((/** @type {number} */ most, value) => Math.max(most, value ?? 0), 0);
  }
}

/**
 * The least round number that is not below: 1, 2, 5, 10, 20, 50 …
 * @param {number} value
 */
export function ceiling(value) {
  if (value <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 5]) if (value <= step * unit * 1.0000001) return step * unit;
  return 10 * unit;
}

/**
 * Corners of the line, newest at the right edge; a gap starts a new piece.
 * @param {(number | null)[]} values
 * @param {number} width
 * @param {number} height
 * @param {number} most  the value at the upper edge
 * @returns {[number, number][][]}
 */
export function polyline(values, width, height, most) {
  /** @type {[number, number][][]} */
  const pieces = [];
  let open = false;
  const step = width / (LENGTH - 1);
  values.forEach((value, at) => {
    if (value === null) {
      open = false;
      return;
    }
    if (!open) pieces.push([]);
    open = true;
    const x = width - (values.length - 1 - at) * step;
    pieces[pieces.length - 1]?.push([x, height - (Math.min(value, most) / most) * height]);
  });
  return pieces;
}
