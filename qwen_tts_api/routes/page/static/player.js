// Plays samples while they come, without gaps. Scheduled buffers, not an AudioWorklet: that exists
// on https and localhost only, and a phone in the same network has neither.

const LEAD_S = 0.1; // between a piece's arrival and its sound, where nothing is playing
const REFILL_S = 0.3; // the same after the sound has run dry: better one pause than many

export class Player {
  #rateHz;
  #context = null;
  #sources = new Set();
  #segments = []; // what is scheduled: { at (clock), from (seconds of audio), length (seconds) }
  #end = 0; // clock at which the last segment ends

  /** Pieces of the audio, Int16Array each. */
  pieces = [];
  numSamples = 0;
  /** How often the sound ran dry because the next piece came late. */
  gaps = 0;

  constructor(rateHz) {
    this.#rateHz = rateHz;
  }

  /** Forget the last audio. To be called in the handler of a key or click, or browsers stay mute. */
  reset() {
    this.silence();
    this.#context ??= new AudioContext({ sampleRate: this.#rateHz });
    this.#context.resume();
    this.pieces = [];
    this.numSamples = 0;
    this.gaps = 0;
    this.#segments = [];
  }

  get duration() {
    return this.numSamples / this.#rateHz;
  }

  /** The context's clock in seconds, which goes while sound can be heard. */
  get clock() {
    return this.#context?.currentTime ?? 0;
  }

  get playing() {
    return this.#sources.size > 0 && this.clock < this.#end;
  }

  /** Seconds of the audio that have been heard. */
  get position() {
    const begun = this.#segments.findLast((segment) => segment.at <= this.clock);
    return begun ? begun.from + Math.min(this.clock - begun.at, begun.length) : 0;
  }

  /** Add a piece, to be heard right after what is there. */
  push(samples) {
    const from = this.duration;
    const dry = this.clock >= this.#end;
    if (dry && this.pieces.length > 0) {
      this.gaps += 1;
    }
    const lead = this.pieces.length > 0 ? REFILL_S : LEAD_S;
    this.pieces.push(samples);
    this.numSamples += samples.length;
    this.#schedule([samples], samples.length, from, dry ? this.clock + lead : this.#end);
  }

  /** Play what is there from a moment on. */
  playFrom(seconds) {
    this.silence();
    this.#context.resume();
    this.#segments = [{ at: this.clock, from: seconds, length: 0 }]; // until the sound begins
    let skip = Math.round(seconds * this.#rateHz);
    const rest = [];
    for (const piece of this.pieces) {
      if (skip < piece.length) {
        rest.push(skip > 0 ? piece.subarray(skip) : piece);
      }
      skip = Math.max(0, skip - piece.length);
    }
    const length = rest.reduce((sum, piece) => sum + piece.length, 0);
    if (length > 0) {
      this.#schedule(rest, length, seconds, this.clock + LEAD_S);
    }
  }

  /** Stop the sound, keep the audio. */
  silence() {
    for (const source of this.#sources) {
      source.stop();
    }
    this.#sources.clear();
    // Where the sound was cut is where it stays.
    const position = this.position;
    this.#segments = [{ at: this.clock, from: position, length: 0 }];
    this.#end = 0;
  }

  #schedule(pieces, length, from, at) {
    const buffer = this.#context.createBuffer(1, length, this.#rateHz);
    const channel = buffer.getChannelData(0);
    let offset = 0;
    for (const piece of pieces) {
      for (const sample of piece) {
        channel[offset++] = sample / 32768;
      }
    }
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    source.addEventListener("ended", () => this.#sources.delete(source));
    source.start(at);
    this.#sources.add(source);
    this.#segments.push({ at, from, length: length / this.#rateHz });
    this.#end = at + length / this.#rateHz;
  }
}
