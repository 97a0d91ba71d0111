// One session of Qwen-TTS-Realtime (docs/api/live.md): a text that is spoken while it is written.

import { ApiError, SAMPLE_RATE_HZ, decodeSamples, fetchWithKey, keySubprotocols } from "../api.js";

const PATH = "api-ws/v1/realtime";
const CANCEL_MS = 1000; // how long the server may take to tell how much was spoken
const LETTERS_PER_S = 15; // about, until the server tells
const GOODBYES = [1000, 1001]; // 1001: nothing was sent for a minute, or the server shuts down

// Our fields by the protocol's names; others are called the same.
const NAMES = {
  speaker: "voice",
  language: "language_type",
  instruct: "instructions",
  speed: "speech_rate",
};

export class Session {
  #socket;
  #url;
  #listener;
  #waiting = []; // messages until the socket is open
  #blank = ""; // white space that begins no response
  #isWritten = false; // whether there is text that was not committed
  #wasOpen = false;
  #isOver = false;
  #askedAt = 0;
  #numCharacters = 0;
  #numSamples = 0;
  #responses = []; // { from, to (seconds of audio), characters }, the last two once they are known
  #numExpected = 0;
  #numDone = 0;
  #onDone = () => {};

  /**
   * @param fields The request's, but for the text.
   * @param listener `onAudio(samples, delayMs)`, with the time since the first word where it is the
   *   first audio after a silence; `onQuiet()` when all was sent; `onEnd(error, isRefused)`, with
   *   null where the server closed in peace.
   */
  constructor({ model, ...fields }, listener) {
    this.#listener = listener;
    this.#url = new URL(PATH, document.baseURI);
    if (model) {
      this.#url.searchParams.set("model", model);
    }
    const address = this.#url.href.replace(/^http/, "ws");
    const socket = (this.#socket = new WebSocket(address, keySubprotocols()));
    socket.addEventListener("open", () => {
      this.#wasOpen = true;
      this.#waiting.splice(0).forEach((message) => socket.send(message));
    });
    socket.addEventListener("message", ({ data }) => this.#take(JSON.parse(data)));
    socket.addEventListener("close", (event) => this.#closed(event.code));
    const named = Object.entries(fields).map(([name, value]) => [NAMES[name] ?? name, value]);
    this.#send("session.update", { session: Object.fromEntries(named) });
  }

  /** Whether audio is to come. */
  get isSpeaking() {
    return !this.#isOver && this.#numDone < this.#numExpected;
  }

  /** Add text, cut anywhere. */
  append(text) {
    const all = this.#blank + text;
    this.#blank = "";
    if (!this.#isWritten) {
      if (!all.trim()) {
        this.#blank = all;
        return;
      }
      this.#askedAt = this.isSpeaking ? 0 : performance.now();
      this.#isWritten = true;
      this.#numExpected += 1;
    }
    this.#numCharacters += [...all].length;
    this.#send("input_text_buffer.append", { text: all });
  }

  /** Have spoken what there is; return whether there is any that was not committed. */
  commit() {
    const isWritten = this.#isWritten;
    if (isWritten) {
      this.#isWritten = false;
      this.#send("input_text_buffer.commit");
    }
    return isWritten;
  }

  /** Stop; wait until the server has told how much was spoken, and close. */
  async interrupt() {
    const isCancelled = this.isSpeaking && this.#socket.readyState === WebSocket.OPEN;
    this.#isOver = true;
    if (isCancelled) {
      const isTold = new Promise((resolve) => (this.#onDone = resolve));
      this.#send("response.cancel");
      await Promise.race([isTold, new Promise((resolve) => setTimeout(resolve, CANCEL_MS))]);
    }
    this.#socket.close();
  }

  /** Stop at once. */
  close() {
    this.#isOver = true;
    this.#socket.close();
  }

  /** Return how many characters of the text are in so many seconds of audio. */
  charactersAt(seconds) {
    let before = 0;
    for (const { from, to, characters } of this.#responses) {
      if (seconds <= from) {
        break;
      }
      if (characters === null) {
        const estimate = Math.round((seconds - from) * LETTERS_PER_S);
        return Math.min(this.#numCharacters, before + estimate);
      }
      before += Math.round(characters * Math.min(1, (seconds - from) / Math.max(0.001, to - from)));
    }
    return before;
  }

  #send(type, fields = {}) {
    const message = JSON.stringify({ type, ...fields });
    if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(message);
    } else {
      this.#waiting.push(message);
    }
  }

  #take(event) {
    if (this.#isOver && event.type !== "response.done") {
      return;
    }
    if (event.type === "response.created") {
      this.#responses.push({ from: this.#numSamples / SAMPLE_RATE_HZ, to: null, characters: null });
      this.#numExpected = Math.max(this.#numExpected, this.#responses.length);
    } else if (event.type === "response.audio.delta") {
      this.#hear(event.delta);
    } else if (event.type === "response.done") {
      this.#finish(event.response);
    } else if (event.type === "error") {
      this.#end(toError(event.error));
    }
  }

  #hear(delta) {
    const samples = decodeSamples(delta);
    this.#numSamples += samples.length;
    const delayMs = this.#askedAt ? performance.now() - this.#askedAt : null;
    this.#askedAt = 0;
    this.#listener.onAudio(samples, delayMs);
  }

  #finish({ usage, status_details: details }) {
    const response = this.#responses[this.#numDone] ?? {};
    response.to = this.#numSamples / SAMPLE_RATE_HZ;
    if (details?.spoken_ms !== undefined) {
      response.to = response.from + details.spoken_ms / 1000;
    }
    response.characters = usage.characters;
    this.#numDone += 1;
    this.#onDone();
    if (!this.#isOver && !this.isSpeaking) {
      this.#isWritten = false;
      this.#listener.onQuiet();
    }
  }

  async #closed(code) {
    if (this.#isOver) {
      return;
    }
    if (!this.#wasOpen) {
      this.#isOver = true;
      this.#listener.onEnd(await this.#reason(), true);
    } else if (this.isSpeaking || !GOODBYES.includes(code)) {
      this.#end(new Error("The connection broke off: the rest was not spoken."));
    } else {
      this.#end(null);
    }
  }

  #end(error) {
    this.close();
    this.#listener.onEnd(error, false);
  }

  /** Return why the socket was refused, which a browser does not tell: a plain GET does. */
  async #reason() {
    const response = await fetchWithKey(this.#url);
    const document = response.status === 426 ? null : await response.json().catch(() => null);
    return document
      ? new ApiError(response.status, { ...document, error: document.message })
      : new Error(
          "The server opens no WebSocket: as many are open as QWEN_MAX_SOCKETS allows, or a proxy " +
            "lets none through. “Speak” needs none.",
        );
  }
}

/** Return an error of the protocol with our names of fields. */
function toError({ code, message, param }) {
  const ours = Object.keys(NAMES).find((name) => NAMES[name] === param) ?? param;
  return new ApiError(400, { error: message, code, fields: ours ? { [ours]: [message] } : {} });
}
