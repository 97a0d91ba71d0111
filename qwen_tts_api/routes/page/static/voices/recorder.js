// Record from the microphone, and convert recordings to formats that the server accepts.

import { toWav } from "../wav.js";

const RATE_HZ = 24000;
const MAX_DURATION_S = 30;
const ACCEPTED_TYPES = /wav|flac|ogg|mpeg|mp3/;

export class Recorder {
  #button;
  #line;
  #media = null;
  #count = 0;

  /** The last recording, or null. */
  recording = null;

  constructor(button, line) {
    this.#button = button;
    this.#line = line;
    button.addEventListener("click", () => (this.#media ? this.stop() : this.#start()));
  }

  /** Whether the page may use a microphone: on https and localhost only. */
  get isAvailable() {
    return Boolean(navigator.mediaDevices?.getUserMedia && globalThis.MediaRecorder);
  }

  reset() {
    this.stop();
    this.recording = null;
    this.#line.textContent = "";
  }

  stop() {
    this.#media?.stop();
  }

  async #start() {
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      this.#line.textContent = `The microphone cannot be used: ${error.message}.`;
      return;
    }
    this.recording = null;
    const media = (this.#media = new MediaRecorder(stream));
    const chunks = [];
    let seconds = 0;
    this.#button.textContent = "Stop";
    this.#line.textContent = "Recording …";
    this.#count = setInterval(() => {
      seconds += 1;
      this.#line.textContent = `Recording … ${seconds} s`;
      if (seconds >= MAX_DURATION_S - 1) {
        this.stop();
      }
    }, 1000);
    media.addEventListener("dataavailable", ({ data }) => chunks.push(data));
    media.addEventListener("stop", () => {
      clearInterval(this.#count);
      stream.getTracks().forEach((track) => track.stop());
      this.#media = null;
      this.recording = new Blob(chunks, { type: media.mimeType });
      this.#button.textContent = "Record";
      this.#line.textContent = `Recorded, ${seconds} s`;
    });
    media.start();
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
