// The video socket: frames, boxes and the measurements of each second. It connects again by itself.

import { parseFrame } from "./protocol.js";
import { ServerClock } from "./clock.js";

const RETRY_FIRST_MS = 200;
const RETRY_MAX_MS = 1000;
/** A page that has just begun is busy and measures badly, so it asks a few times at first. */
const CLOCK_ASKED_AFTER_MS = [0, 200, 400, 800, 1600];
const CLOCK_EVERY_MS = 5000;
/** A socket on which nothing came for so long is dead, whatever it says. */
const SILENT_MS = 4000;

/**
 * @typedef {object} Handlers
 * @property {(frame: import("./protocol.js").Frame, shown: () => void) => void} frame
 * @property {(boxes: import("./protocol.js").Boxes) => void} boxes
 * @property {(report: import("./protocol.js").Report) => void} report
 * @property {(connected: boolean) => void} connected
 */

export class VideoSocket {
  clock = new ServerClock();
  /** @type {Handlers} */ #handlers;
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {"off" | "video" | "still"} */ #mode = "off";
  #retryMs = RETRY_FIRST_MS;
  #retryTimer = 0;
  /** @type {number[]} */ #clockTimers = [];
  #heardAt = 0;

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /**
   * What to receive: nothing, everything, or all but the pictures.
   * @param {"off" | "video" | "still"} mode
   */
  set mode(mode) {
    if (mode === this.#mode) return;
    this.#mode = mode;
    this.#disconnect();
    if (mode !== "off") this.#connect();
  }

  /** Called each second: a network that vanished closes nothing. */
  check() {
    if (this.#socket && performance.now() - this.#heardAt > SILENT_MS) {
      this.#disconnect();
      this.#connectLater();
    }
  }

  #connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const asked = this.#mode === "still" ? "stats,still" : "boxes,stats,acks";
    const socket = new WebSocket(`${scheme}//${location.host}/ws?with=${asked}`);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#heardAt = performance.now();
    socket.onopen = () => {
      this.#retryMs = RETRY_FIRST_MS;
      this.#handlers.connected(true);
      const ask = () => this.#send({ clock: performance.now() });
      this.#clockTimers = CLOCK_ASKED_AFTER_MS.map((ms) => window.setTimeout(ask, ms));
      this.#clockTimers.push(window.setInterval(ask, CLOCK_EVERY_MS));
    };
    socket.onmessage = (message) => this.#hear(socket, message.data);
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#disconnect();
      this.#connectLater();
    };
  }

  #connectLater() {
    if (this.#mode === "off") return;
    this.#retryTimer = window.setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
  }

  #disconnect() {
    window.clearTimeout(this.#retryTimer);
    for (const timer of this.#clockTimers) window.clearTimeout(timer);
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.close();
    this.#handlers.connected(false);
  }

  /** @param {object} what */
  #send(what) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(what));
  }

  /**
   * @param {WebSocket} socket
   * @param {ArrayBuffer | string} data
   */
  #hear(socket, data) {
    if (socket !== this.#socket) return;
    this.#heardAt = performance.now();
    if (typeof data !== "string") {
      const frame = parseFrame(data);
      if (frame) this.#handlers.frame(frame, () => this.#send({ ack: frame.number }));
      return;
    }
    const said = JSON.parse(data);
    if (said.boxes) this.#handlers.boxes(said.boxes);
    else if (said.stats) this.#handlers.report(said.stats);
    else if (said.now_ns) this.clock.add(said.clock, said.now_ns, performance.now());
  }
}
