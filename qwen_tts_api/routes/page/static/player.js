// Plays a stream of samples without gaps, by scheduled buffers. An AudioWorklet needs https or
// localhost, which a phone in the same network does not have.

const LEAD_S = 0.1; // from a chunk's arrival to its sound, if nothing is playing
const REFILL_S = 0.3; // the same after an underrun: better one pause than many

export class Player {
  #rateHz;
  #context = null;
  #sources = new Set();
  #scheduled = []; // { at (clock), from (seconds of audio), length (seconds) } of each buffer
  #end = 0; // clock at which the last buffer ends
  #mayPause = false;

  /** The audio, an Int16Array per chunk. */
  chunks = [];
  numSamples = 0;
  /** Number of underruns: the next chunk came late. */
  gaps = 0;

  constructor(rateHz) {
    this.#rateHz = rateHz;
  }

  /**
   * Discard the audio. Call it in the handler of a key or click, or browsers block playback.
   * @param mayPause Whether silence between two chunks may be meant, and is no underrun.
   */
  reset({ mayPause = false } = {}) {
    this.silence();
    this.#mayPause = mayPause;
    this.#context ??= new AudioContext({ sampleRate: this.#rateHz });
    this.#context.resume();
    this.chunks = [];
    this.numSamples = 0;
    this.gaps = 0;
    this.#scheduled = [];
  }

  get duration() {
    return this.numSamples / this.#rateHz;
  }

  /** The context's clock in seconds, which runs while sound can be heard. */
  get clock() {
    return this.#context?.currentTime ?? 0;
  }

  get playing() {
    return this.#sources.size > 0 && this.clock < this.#end;
  }

  /** The playback position in seconds. */
  get position() {
    const current = this.#scheduled.findLast(({ at }) => at <= this.clock);
    return current ? current.from + Math.min(this.clock - current.at, current.length) : 0;
  }

  /** Append samples, to be played right after the previous ones. */
  push(samples) {
    const from = this.duration;
    const isSilent = this.clock >= this.#end;
    const isUnderrun = isSilent && this.chunks.length > 0 && !this.#mayPause;
    if (isUnderrun) {
      this.gaps += 1;
    }
    const lead = isUnderrun ? REFILL_S : LEAD_S;
    this.chunks.push(samples);
    this.numSamples += samples.length;
    this.#schedule([samples], samples.length, from, isSilent ? this.clock + lead : this.#end);
  }

  /** Play from a position in seconds on. */
  playFrom(seconds) {
    this.silence();
    this.#context.resume();
    this.#scheduled = [{ at: this.clock, from: seconds, length: 0 }]; // until the sound begins
    let skip = Math.round(seconds * this.#rateHz);
    const rest = [];
    for (const chunk of this.chunks) {
      if (skip < chunk.length) {
        rest.push(skip > 0 ? chunk.subarray(skip) : chunk);
      }
      skip = Math.max(0, skip - chunk.length);
    }
    const length = rest.reduce((sum, chunk) => sum + chunk.length, 0);
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
    // Keep the position.
    const position = this.position;
    this.#scheduled = [{ at: this.clock, from: position, length: 0 }];
    this.#end = 0;
  }

  #schedule(chunks, length, from, at) {
    const buffer = this.#context.createBuffer(1, length, this.#rateHz);
    const channel = buffer.getChannelData(0);
    let offset = 0;
    for (const chunk of chunks) {
      for (const sample of chunk) {
        channel[offset++] = sample / 32768;
      }
    }
    const source = this.#context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#context.destination);
    source.addEventListener("ended", () => this.#sources.delete(source));
    source.start(at);
    this.#sources.add(source);
    this.#scheduled.push({ at, from, length: length / this.#rateHz });
    this.#end = at + length / this.#rateHz;
  }
}
