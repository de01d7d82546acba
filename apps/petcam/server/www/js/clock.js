// How far the server's monotonic clock is from this page's, to tell how old a frame is.

/** Measurements older than this many are forgotten: clocks drift and networks change. */
const KEPT = 16;

export class ServerClock {
  /** @type {{roundTrip: number, offsetMs: number}[]} */
  #measured = [];

  /**
   * One question and its answer. The answer was given somewhere between the two moments, so the
   * shorter the round trip the better it is known when.
   * @param {number} askedMs
   * @param {number} serverNs
   * @param {number} heardMs
   */
  add(askedMs, serverNs, heardMs) {
    const roundTrip = heardMs - askedMs;
    if (roundTrip < 0) return;
    this.#measured.push({ roundTrip, offsetMs: serverNs / 1e6 - (askedMs + heardMs) / 2 });
    if (this.#measured.length > KEPT) this.#measured.shift();
  }

  get known() {
    return this.#measured.length > 0;
  }

  /**
   * How long ago the server's clock showed this, in milliseconds; null while nobody knows.
   * @param {number} serverNs
   * @param {number} nowMs
   */
  age(serverNs, nowMs) {
    let best = this.#measured[0];
    if (!best) return null;
    for (const each of this.#measured) if (each.roundTrip < best.roundTrip) best = each;
    return Math.max(0, nowMs + best.offsetMs - serverNs / 1e6);
  }
}
