// Draw the waveform of a stream.

const BUCKET = 240; // samples per minimum and maximum: 10 ms
const SHORTEST_S = 4; // the least duration that the width shows

export class Wave {
  #canvas;
  #rateHz;
  #lows = [];
  #highs = [];
  #inBucket = 0;

  constructor(canvas, rateHz) {
    this.#canvas = canvas;
    this.#rateHz = rateHz;
  }

  reset() {
    this.#lows = [];
    this.#highs = [];
    this.#inBucket = 0;
  }

  push(samples) {
    for (const sample of samples) {
      if (this.#inBucket === 0) {
        this.#lows.push(sample);
        this.#highs.push(sample);
      }
      const last = this.#lows.length - 1;
      this.#lows[last] = Math.min(this.#lows[last], sample);
      this.#highs[last] = Math.max(this.#highs[last], sample);
      this.#inBucket = (this.#inBucket + 1) % BUCKET;
    }
  }

  /**
   * Draw the waveform. While streaming, the width shows a duration that is doubled in steps; in the
   * end, the exact duration.
   */
  draw(position, isStreaming) {
    const ratio = globalThis.devicePixelRatio ?? 1;
    const { clientWidth, clientHeight } = this.#canvas;
    const [width, height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      [this.#canvas.width, this.#canvas.height] = [width, height];
    }
    const pen = this.#canvas.getContext("2d");
    pen.clearRect(0, 0, width, height);
    const colours = getComputedStyle(this.#canvas);
    const [heard, rest] = ["--accent", "--wave"].map((name) => colours.getPropertyValue(name));
    const barWidth = Math.max(1, Math.round(2 * ratio));
    const step = barWidth + Math.max(1, Math.round(ratio));
    const seconds = (this.#lows.length * BUCKET) / this.#rateHz;
    const shown = isStreaming ? Wave.#roundUp(seconds) : seconds;
    for (let x = 0; x + barWidth <= width; x += step) {
      const [low, high] = this.#extremes((x / width) * shown, ((x + step) / width) * shown);
      const top = height / 2 - (high / 32768) * (height / 2 - barWidth);
      const bottom = height / 2 - (low / 32768) * (height / 2 - barWidth);
      pen.fillStyle = (x / width) * shown < position ? heard : rest;
      pen.beginPath();
      pen.roundRect(x, top - barWidth / 2, barWidth, bottom - top + barWidth, barWidth / 2);
      pen.fill();
    }
  }

  static #roundUp(seconds) {
    return SHORTEST_S * 2 ** Math.max(0, Math.ceil(Math.log2(seconds / SHORTEST_S)));
  }

  #extremes(from, to) {
    const first = Math.floor((from * this.#rateHz) / BUCKET);
    const end = Math.max(first + 1, Math.floor((to * this.#rateHz) / BUCKET));
    let [low, high] = [0, 0];
    for (let bucket = first; bucket < Math.min(end, this.#lows.length); bucket += 1) {
      low = Math.min(low, this.#lows[bucket]);
      high = Math.max(high, this.#highs[bucket]);
    }
    return [low, high];
  }
}
