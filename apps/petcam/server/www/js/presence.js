// Which daemon is there. What the server says counts while the server itself is there.

/** The server sends something every second; after this long without, it is missing. */
export const SERVER_SILENT_MS = 1700;

/** @typedef {{state: string, text: string, title: string}} Chip */

/**
 * @typedef {object} Heard
 * @property {import("./protocol.js").Status | null} status  from the event stream: immediate
 * @property {import("./protocol.js").Report | null} report  from the video socket: each second
 * @property {number} reportAt  when the report came, in ms of the page's clock
 * @property {number} serverAt  when anything came from the server
 * @property {boolean} connected  a stream to the server is open
 * @property {number} since  when the page began, or last lost the server
 */

/**
 * Is the server there? A closed connection says no at once, a silent one after a while.
 * @param {Heard} heard
 * @param {number} now
 */
export function serverPresent(heard, now) {
  return heard.connected && now - heard.serverAt < SERVER_SILENT_MS;
}

/**
 * @param {Heard} heard
 * @param {number} now
 * @returns {Chip}
 */
export function serverChip(heard, now) {
  if (serverPresent(heard, now)) {
    return { state: "running", text: "", title: "the server answers" };
  }
  const silent = now - Math.max(heard.serverAt, heard.since);
  if (heard.serverAt === 0 && silent < SERVER_SILENT_MS) {
    return { state: "unknown", text: "…", title: "connecting" };
  }
  return {
    state: "missing",
    text: `missing ${seconds(silent)}`,
    title: "the server does not answer; the page connects again by itself",
  };
}

/**
 * @param {string} name
 * @param {Heard} heard
 * @param {number} now
 * @returns {Chip}
 */
export function daemonChip(name, heard, now) {
  const status = heard.status?.daemons[name];
  const report = heard.report?.daemons[name];
  if (!serverPresent(heard, now) || (!status && !report)) {
    return { state: "unknown", text: "…", title: "the server knows, and it does not answer" };
  }
  const state = status?.state ?? report?.state ?? "unknown";
  const reported = report && report.age_ms >= 0 ? report.age_ms + now - heard.reportAt : null;
  const age = reported === null ? "" : seconds(reported);
  const title = status?.note || `${name} is ${state}`;
  switch (state) {
    case "running":
      return { state, text: age, title: `${title}; it reported ${age || "just now"} ago` };
    case "missing":
      return { state, text: `missing ${age}`.trim(), title };
    default:
      return { state, text: state, title };
  }
}

/** @param {number} ms */
function seconds(ms) {
  const value = Math.max(0, ms) / 1000;
  return value < 10 ? `${value.toFixed(1)} s` : `${Math.floor(value)} s`;
}

/**
 * What to show in place of the picture; null while it is live.
 * @param {Heard & {paused: boolean, frameAt: number}} heard
 * @param {number} now
 * @returns {{state: string, headline: string, advice: string} | null}
 */
export function notice(heard, now) {
  if (heard.paused) {
    return { state: "paused", headline: "Paused", advice: "Press space to go on." };
  }
  const server = serverChip(heard, now);
  if (server.state === "missing") {
    return {
      state: "missing",
      headline: "server missing",
      advice: "It does not answer. The page connects again by itself.",
    };
  }
  const camera = heard.status?.daemons["camera"];
  if (camera?.state === "missing") {
    return {
      state: "missing",
      headline: "camera missing",
      advice: "The picture comes back by itself when the camera does.",
    };
  }
  if (now - heard.frameAt < SERVER_SILENT_MS) return null;
  if (camera?.note) return { state: "waiting", headline: "No picture", advice: camera.note };
  return { state: "connecting", headline: "Waiting for the picture", advice: "" };
}
