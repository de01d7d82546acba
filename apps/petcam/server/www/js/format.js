// Numbers and times for people.

/**
 * @param {number} ms
 * @returns {string} "0.4 s", "8 s", "3 min", "2 h 5 min"
 */
export function duration(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 1) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 5) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/**
 * The time of day, and the day unless it is today.
 * @param {number} ms
 * @param {number} now
 */
export function moment(ms, now) {
  const date = new Date(ms);
  const time = date.toLocaleTimeString(undefined, { hourCycle: "h23" });
  if (date.toDateString() === new Date(now).toDateString()) return time;
  return `${date.toLocaleDateString(undefined, { day: "numeric", month: "short" })}, ${time}`;
}

/** @param {number} value  three digits are enough for anybody */
export function short(value) {
  if (!Number.isFinite(value)) return "–";
  if (value >= 99.5) return value.toFixed(0);
  return String(Number(value.toFixed(value >= 9.95 ? 1 : 2)));
}

/** @param {number} bytes */
export function kilobytes(bytes) {
  return `${short(bytes / 1000)} KB`;
}

/**
 * Who did what where.
 * @param {import("./protocol.js").Visit} visit
 */
export function places(visit) {
  return visit.zones ?? (visit.zone ? [visit.zone] : []);
}

/**
 * @param {import("./protocol.js").Visit} visit
 * @param {number} now
 */
export function howLong(visit, now) {
  return duration((visit.end ?? now) - visit.start);
}
