// The four measurements: a number, a line of two minutes, and what it means.

import { kilobytes, short } from "./format.js";
import { Series, ceiling, polyline } from "./series.js";

/** @typedef {import("./protocol.js").Report} Report */

const DAEMONS = ["camera", "detector", "server"];

class Chart {
  /** @type {HTMLElement} */ root;
  /** @type {HTMLCanvasElement} */ #canvas;
  /** @type {{series: Series, colour: string, fill: boolean}[]} */ #lines;

  /**
   * @param {string} id
   * @param {[string, boolean][]} lines  the CSS variable of each line's colour; filled below?
   */
  constructor(id, lines) {
    const root = document.getElementById(id);
    const canvas = root?.querySelector("canvas");
    if (!root || !canvas) throw new Error(`the page has no ${id}`);
    this.root = root;
    this.#canvas = canvas;
    this.#lines = lines.map(([colour, fill]) => ({ series: new Series(), colour, fill }));
  }

  /**
   * @param {string} value
   * @param {(number | null)[]} values  one for each line
   */
  push(value, values) {
    const number = this.root.querySelector("strong");
    if (number) number.textContent = value;
    this.#lines.forEach((line, at) => line.series.push(values[at] ?? null));
    this.draw();
  }

  /** @param {...Node} nodes */
  foot(...nodes) {
    this.root.querySelector(".foot")?.replaceChildren(...nodes);
  }

  draw() {
    const canvas = this.#canvas;
    const context = canvas.getContext("2d");
    const width = Math.round(canvas.clientWidth * devicePixelRatio);
    const height = Math.round(canvas.clientHeight * devicePixelRatio);
    if (!context || width === 0) return;
    canvas.width = width;
    canvas.height = height;
    const style = getComputedStyle(canvas);
    const most = ceiling(Math.max(...this.#lines.map((line) => line.series.max)));
    context.strokeStyle = style.getPropertyValue("--line");
    context.lineWidth = devicePixelRatio;
    for (const at of [0.5, height / 2, height - 0.5]) {
      context.beginPath();
      context.moveTo(0, at);
      context.lineTo(width, at);
      context.stroke();
    }
    const inset = 2 * devicePixelRatio;
    for (const { series, colour, fill } of this.#lines) {
      context.strokeStyle = context.fillStyle = style.getPropertyValue(colour);
      for (const piece of polyline(series.values, width - inset, height - 2 * inset, most)) {
        stroke(context, piece, inset, fill ? height : null);
      }
    }
    this.#scale(context, most, style.getPropertyValue("--faint"));
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} most
   * @param {string} colour
   */
  #scale(context, most, colour) {
    context.fillStyle = colour;
    context.font = `${10 * devicePixelRatio}px system-ui, "DejaVu Sans", sans-serif`;
    context.textBaseline = "top";
    context.fillText(short(most), 2 * devicePixelRatio, 3 * devicePixelRatio);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {[number, number][]} piece
 * @param {number} inset
 * @param {number | null} floor  fill down to here
 */
function stroke(context, piece, inset, floor) {
  context.lineWidth = 1.6 * devicePixelRatio;
  context.lineJoin = "round";
  context.beginPath();
  for (const [x, y] of piece) context.lineTo(x, y + inset);
  context.stroke();
  const [first, last] = [piece[0], piece[piece.length - 1]];
  if (floor === null || !first || !last) return;
  context.lineTo(last[0], floor);
  context.lineTo(first[0], floor);
  context.globalAlpha = 0.13;
  context.fill();
  context.globalAlpha = 1;
}

/**
 * @param {string} text
 * @param {string} [kind]
 */
function key(text, kind = "") {
  const span = document.createElement("span");
  span.className = `key ${kind}`;
  span.textContent = text;
  return span;
}

export class Charts {
  #age = new Chart("chart-age", [["--camera", true]]);
  #events = new Chart("chart-events", [["--faint", false], ["--good", true]]);
  #cpu = new Chart("chart-cpu", DAEMONS.map((name) => [`--${name}`, false]));
  #wakes = new Chart("chart-wakes", DAEMONS.map((name) => [`--${name}`, false]));

  /**
   * @param {Report} report
   * @param {number | null} frameAge  mean over the last second, in ms
   */
  push(report, frameAge) {
    this.#age.push(frameAge === null ? "–" : short(frameAge), [frameAge]);
    const wakeUp = report.daemons["detector"]?.latency;
    this.#age.foot(document.createTextNode(
      wakeUp ? `the detector has a frame ${short(wakeUp)} ms after it is published` : "",
    ));

    const { sent, every_frame: naive } = report.events;
    this.#events.push(short(sent.events), [naive.events, sent.events]);
    this.#events.foot(
      key(`sent: ${kilobytes(sent.bytes)}/s`, "detector"),
      key(`every frame: ${short(naive.events)}/s, ${kilobytes(naive.bytes)}/s`),
    );
    this.#perDaemon(this.#cpu, report, (daemon) => daemon.cpu, " %");
    this.#perDaemon(this.#wakes, report, (daemon) => daemon.wakes, "");
  }

  redraw() {
    for (const chart of [this.#age, this.#events, this.#cpu, this.#wakes]) chart.draw();
  }

  /**
   * @param {Chart} chart
   * @param {Report} report
   * @param {(daemon: import("./protocol.js").DaemonReport) => number} value
   * @param {string} unit
   */
  #perDaemon(chart, report, value, unit) {
    const values = DAEMONS.map((name) => {
      const daemon = report.daemons[name];
      return daemon && daemon.state !== "missing" ? value(daemon) : null;
    });
    let sum = 0;
    for (const each of values) sum += each ?? 0;
    chart.push(short(sum), values);
    chart.foot(...DAEMONS.map((name, at) => {
      const each = values[at];
      return key(`${name} ${typeof each === "number" ? short(each) + unit : "–"}`, name);
    }));
  }
}
