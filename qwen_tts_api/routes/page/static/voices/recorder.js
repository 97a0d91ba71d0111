// Record from the microphone, and convert recordings to formats that the server accepts.

import { toWav } from "../wav.js";

const RATE_HZ = 24000;
const MAX_DURATION_S = 30;
const ACCEPTED_TYPES = /wav|flac|ogg|mpeg|mp3/;

export class Recorder {
  #button;
  #line;
  #take = null; // the AbortController of what is recorded, or waits for the microphone
  #recorded = null; // a promise of the last recording, or null

  /** @param onStart Called before each recording. */
  constructor(button, line, onStart) {
    this.#button = button;
    this.#line = line;
    button.addEventListener("click", () => {
      if (this.#take === null) {
        onStart();
        this.#recorded = this.#record();
      } else {
        this.#take.abort();
      }
    });
  }

  /** Whether the page may use a microphone: on https and localhost only. */
  get isAvailable() {
    return Boolean(navigator.mediaDevices?.getUserMedia && globalThis.MediaRecorder);
  }

  /** Discard the recording, also one that is being made or waits for the microphone. */
  reset() {
    this.#take?.abort();
    this.#take = null;
    this.#recorded = null;
    this.#show("Record", "");
  }

  /** End what is being recorded; return the last recording, null if there is none. */
  async finish() {
    this.#take?.abort();
    return this.#recorded;
  }

  async #record() {
    const take = (this.#take = new AbortController());
    this.#show("Stop", "Waiting for the microphone …");
    let [recording, line] = [null, ""];
    try {
      const { blob, seconds } = await capture(take.signal, (seconds) => {
        if (seconds >= MAX_DURATION_S - 1) {
          take.abort();
        } else if (this.#take === take) {
          this.#show("Stop", `Recording … ${seconds} s`);
        }
      });
      [recording, line] = [blob, blob && `Recorded, ${seconds} s`];
    } catch (error) {
      line = `The microphone cannot be used: ${error.message}.`;
    }
    if (this.#take === take) {
      this.#take = null;
      this.#show("Record", line ?? "");
    }
    return recording;
  }

  #show(button, line) {
    this.#button.textContent = button;
    this.#line.textContent = line;
  }
}

/**
 * Record until `signal` is aborted, and release the microphone; `onSecond` is told how long it is.
 * The blob is null if it was aborted before the microphone was there.
 */
async function capture(signal, onSecond) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const chunks = [];
  let seconds = 0;
  let count = 0;
  try {
    if (signal.aborted) {
      return { blob: null, seconds };
    }
    const media = new MediaRecorder(stream);
    media.addEventListener("dataavailable", ({ data }) => chunks.push(data));
    const isStopped = new Promise((resolve) => media.addEventListener("stop", resolve));
    signal.addEventListener("abort", () => media.stop());
    media.start();
    onSecond(0);
    count = setInterval(() => onSecond((seconds += 1)), 1000);
    await isStopped;
    return { blob: new Blob(chunks, { type: media.mimeType }), seconds };
  } finally {
    clearInterval(count);
    stream.getTracks().forEach((track) => track.stop());
  }
}

/** Return a file that the server accepts: others, such as m4a, are decoded here to WAV. */
export async function toAcceptedFormat(file) {
  if (ACCEPTED_TYPES.test(file.type) && !/codecs|webm/.test(file.type)) {
    return file;
  }
  const context = new OfflineAudioContext(1, 1, RATE_HZ);
  let audio;
  try {
    audio = await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    return file; // the server's error says what is accepted
  }
  const channels = Array.from({ length: audio.numberOfChannels }, (_, index) =>
    audio.getChannelData(index),
  );
  const samples = Int16Array.from({ length: audio.length }, (_, index) => {
    const sum = channels.reduce((total, channel) => total + channel[index], 0);
    return Math.max(-1, Math.min(1, sum / channels.length)) * 32767;
  });
  return toWav([samples], RATE_HZ);
}
