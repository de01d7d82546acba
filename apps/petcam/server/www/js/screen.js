// The canvas with the picture. It shows the newest frame it has and never queues.

/** @typedef {import("./protocol.js").Frame} Frame */

export class Screen {
  /** @type {HTMLCanvasElement} */ #canvas;
  /** @type {CanvasRenderingContext2D} */ #context;
  /** @type {(frame: Frame) => void} */ #shown;
  /** @type {{frame: Frame, done: () => void} | null} */ #next = null;
  #decoding = false;
  #count = 0;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {(frame: Frame) => void} shown  after a frame was drawn
   */
  constructor(canvas, shown) {
    const context = canvas.getContext("2d", { alpha: false });
    if (!context) throw new Error("this browser has no 2d canvas");
    this.#canvas = canvas;
    this.#context = context;
    this.#shown = shown;
  }

  /**
   * @param {Frame} frame
   * @param {() => void} done  the next frame may be sent
   */
  show(frame, done) {
    this.#next?.done(); // it is passed over
    this.#next = { frame, done };
    if (!this.#decoding) void this.#decode();
  }

  async #decode() {
    this.#decoding = true;
    while (this.#next) {
      const { frame, done } = this.#next;
      this.#next = null;
      try {
        const blob = new Blob([frame.jpeg], { type: "image/jpeg" });
        const bitmap = await createImageBitmap(blob);
        this.#draw(frame, bitmap);
        bitmap.close();
      } catch {
        this.#canvas.dataset["damaged"] = String(frame.number);
      }
      done();
    }
    this.#decoding = false;
  }

  /**
   * @param {Frame} frame
   * @param {ImageBitmap} bitmap
   */
  #draw(frame, bitmap) {
    const canvas = this.#canvas;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    this.#context.drawImage(bitmap, 0, 0);
    this.#count++;
    canvas.dataset["frame"] = String(frame.number);
    canvas.dataset["framesShown"] = String(this.#count);
    this.#shown(frame);
  }
}
