// Boxes and zones over the picture, drawn at the screen's own resolution.

/** @typedef {import("./protocol.js").LiveBox} LiveBox */
/** @typedef {import("./protocol.js").Zone} Zone */

/** The same hues for the same track ids as in the server's snapshots. */
export const HUES = ["#ffb454", "#5cd6c0", "#ff7eb6", "#8ab4ff", "#c4e85a", "#d7a6ff"];

/** @param {number} track */
export function hue(track) {
  return HUES[track % HUES.length] ?? "#ffffff";
}

export class Overlay {
  showBoxes = true;
  showZones = true;
  /** @type {Zone[]} */ zones = [];
  /** @type {HTMLCanvasElement} */ #canvas;
  /** @type {CanvasRenderingContext2D} */ #context;
  #drawn = "";

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    const context = canvas.getContext("2d");
    if (!context) throw new Error("this browser has no 2d canvas");
    this.#canvas = canvas;
    this.#context = context;
  }

  /**
   * @param {LiveBox[]} boxes  in pixels of the frame
   * @param {{width: number, height: number}} frame
   */
  draw(boxes, frame) {
    const canvas = this.#canvas;
    const width = Math.round(canvas.clientWidth * devicePixelRatio);
    const height = Math.round(canvas.clientHeight * devicePixelRatio);
    const shown = [this.showBoxes, this.showZones];
    const wanted = JSON.stringify([width, height, shown, boxes, this.zones]);
    if (wanted === this.#drawn || width === 0) return;
    this.#drawn = wanted;
    canvas.width = width;
    canvas.height = height;
    canvas.dataset["boxes"] = JSON.stringify(boxes);
    const scale = { x: width / frame.width, y: height / frame.height };
    const occupied = new Set(boxes.map((box) => box.zone));
    if (this.showZones) {
      for (const zone of this.zones) this.#zone(zone, width, height, occupied.has(zone.name));
    }
    if (this.showBoxes) for (const box of boxes) this.#box(box, scale);
  }

  /**
   * @param {Zone} zone
   * @param {number} width
   * @param {number} height
   * @param {boolean} occupied
   */
  #zone(zone, width, height, occupied) {
    const c = this.#context;
    c.beginPath();
    for (const [x, y] of zone.points) c.lineTo(x * width, y * height);
    c.closePath();
    c.fillStyle = occupied ? "rgb(255 180 84 / 22%)" : "rgb(255 255 255 / 7%)";
    c.fill();
    c.lineWidth = 1.5 * devicePixelRatio;
    c.setLineDash([6 * devicePixelRatio, 5 * devicePixelRatio]);
    c.strokeStyle = occupied ? "rgb(255 180 84 / 95%)" : "rgb(255 255 255 / 55%)";
    c.stroke();
    c.setLineDash([]);
    // The name stands in the lower left corner, where feet are and no box's own name.
    const left = Math.min(...zone.points.map((point) => point[0])) * width;
    const bottom = Math.max(...zone.points.map((point) => point[1])) * height;
    const unit = devicePixelRatio;
    this.#plate(zone.name, left + 6 * unit, bottom - 26 * unit, "rgb(10 14 20 / 60%)", "#fff");
  }

  /**
   * @param {LiveBox} box
   * @param {{x: number, y: number}} scale
   */
  #box(box, scale) {
    const c = this.#context;
    const [bx = 0, by = 0, bw = 0, bh = 0] = box.box;
    const [x, y, w, h] = [bx * scale.x, by * scale.y, bw * scale.x, bh * scale.y];
    const colour = hue(box.track);
    c.globalAlpha = box.coasting ? 0.45 : 1;
    c.lineJoin = "round";
    for (const [stroke, line] of /** @type {[string, number][]} */ ([
      ["rgb(0 0 0 / 45%)", 4], [colour, 2],
    ])) {
      c.strokeStyle = stroke;
      c.lineWidth = line * devicePixelRatio;
      c.beginPath();
      c.roundRect(x, y, w, h, 5 * devicePixelRatio);
      c.stroke();
    }
    const who = `${box.label} ${Math.round(box.score * 100)} %`;
    const name = box.track ? `${who}  #${box.track}` : who;
    const above = y - 24 * devicePixelRatio;
    this.#plate(name, x, above < 0 ? y + 4 * devicePixelRatio : above, colour, "#14100a");
    c.globalAlpha = 1;
  }

  /**
   * @param {string} text
   * @param {number} x
   * @param {number} y
   * @param {string} ground
   * @param {string} ink
   */
  #plate(text, x, y, ground, ink) {
    const c = this.#context;
    const unit = devicePixelRatio;
    c.font = `600 ${12 * unit}px system-ui, "DejaVu Sans", sans-serif`;
    c.textBaseline = "middle";
    const width = c.measureText(text).width + 14 * unit;
    const left = Math.max(0, Math.min(x, this.#canvas.width - width));
    c.fillStyle = ground;
    c.beginPath();
    c.roundRect(left, y, width, 20 * unit, 5 * unit);
    c.fill();
    c.fillStyle = ink;
    c.fillText(text, left + 7 * unit, y + 10.5 * unit);
  }
}
