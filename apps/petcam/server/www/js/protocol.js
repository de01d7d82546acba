// What the server sends, as the page understands it. Pure functions: node tests them.

/** Bytes before the JPEG in a binary message of /ws. */
export const HEADER_BYTES = 32;

/**
 * One frame of live video. Times are nanoseconds of the server's monotonic clock.
 * @typedef {{number: number, captureNs: number, publishedNs: number,
 *            width: number, height: number, jpeg: Uint8Array}} Frame
 */

/**
 * One subject's visit, from new to end.
 * @typedef {{id: string, track: number, label: string, zone?: string, zones?: string[],
 *            box: number[], score: number, start: number, end?: number, why?: string}} Visit
 */

/**
 * @typedef {{kind: "new" | "update" | "end", frame: number, changed?: string[],
 *            after: Visit}} Change
 */

/** @typedef {{id: string, box: number[], score: number}} TrackUpdate */

/** @typedef {{state: string, note?: string, pid?: number, since: number}} DaemonStatus */

/** @typedef {{name: string, points: [number, number][]}} Zone */

/**
 * @typedef {{detector?: string, demo?: boolean, width?: number, height?: number,
 *            zones?: Zone[]}} Scene
 */

/** @typedef {{daemons: Record<string, DaemonStatus>, scene: Scene}} Status */

/** @typedef {{status: Status | null, open: Map<string, Visit>}} State */

/**
 * @typedef {DaemonStatus & {age_ms: number, fps: number, cpu: number, work_cpu: number,
 *            wakes: number, encodes: number, latency: number, dropped: number}} DaemonReport
 */

/** @typedef {{events: number, bytes: number}} PerSecond */

/**
 * @typedef {{now_ns: number, now: number, version: string,
 *            daemons: Record<string, DaemonReport>, scene: Scene,
 *            events: {clients: number, sent: PerSecond, every_frame: PerSecond,
 *                     suppressed: number},
 *            video: {viewers: number, sent: number, replaced: number}}} Report
 */

/**
 * Where somebody is in one frame, exactly.
 * @typedef {{track: number, label: string, zone?: string, score: number, box: number[],
 *            coasting?: boolean}} LiveBox
 */

/** @typedef {{frame: number, tracks: LiveBox[]}} Boxes */

/**
 * Takes a binary message apart; null if it is too short to be one.
 * @param {ArrayBuffer} message
 * @returns {Frame | null}
 */
export function parseFrame(message) {
  if (message.byteLength <= HEADER_BYTES) return null;
  const view = new DataView(message);
  return {
    number: readU64(view, 0),
    captureNs: readU64(view, 8),
    publishedNs: readU64(view, 16),
    width: view.getUint32(24, true),
    height: view.getUint32(28, true),
    jpeg: new Uint8Array(message, HEADER_BYTES),
  };
}

/**
 * A number keeps 53 of the 64 bits: enough for 104 days in nanoseconds, and rounded after that.
 * @param {DataView} view
 * @param {number} at
 */
function readU64(view, at) {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/** @returns {State} */
export function emptyState() {
  return { status: null, open: new Map() };
}

/**
 * What one message of the event stream makes of the state. The server and its journal reduce the
 * same messages in the same way, so a resumed page is where a new one would be.
 * @param {State} state
 * @param {string} type
 * @param {any} data
 * @returns {State}
 */
export function reduce(state, type, data) {
  switch (type) {
    case "snapshot":
      return {
        status: data.status ?? null,
        open: new Map((data.open ?? []).map((/** @type {Visit} */ visit) => [visit.id, visit])),
      };
    case "status":
      return { ...state, status: data };
    case "event":
      return { ...state, open: withChange(state.open, data) };
    case "tracks":
      return { ...state, open: withMoves(state.open, data.tracks) };
    default:
      return state;
  }
}

/**
 * @param {Map<string, Visit>} open
 * @param {Change} change
 */
function withChange(open, change) {
  const next = new Map(open);
  if (change.kind === "end") next.delete(change.after.id);
  else next.set(change.after.id, change.after);
  return next;
}

/**
 * @param {Map<string, Visit>} open
 * @param {TrackUpdate[]} tracks
 */
function withMoves(open, tracks) {
  const next = new Map(open);
  for (const track of tracks) {
    const visit = next.get(track.id);
    if (visit) next.set(track.id, { ...visit, box: track.box, score: track.score });
  }
  return next;
}

/**
 * The boxes that belong to a frame: of those that came, the newest that are not from its future.
 * They are only sent when they change, so older ones still hold.
 * @param {Boxes[]} known  in the order they came
 * @param {number} frame
 * @returns {Boxes | null}
 */
export function boxesFor(known, frame) {
  for (let at = known.length - 1; at >= 0; at--) {
    const boxes = known[at];
    if (boxes && boxes.frame <= frame) return boxes;
  }
  return null;
}
