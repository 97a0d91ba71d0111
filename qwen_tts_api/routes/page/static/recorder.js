// Recordings, from the microphone or a file, as files that the server reads.

import { toWav } from "./wav.js";

const RATE_HZ = 24000;
const LONGEST_S = 30;
const READ_BY_THE_SERVER = /wav|flac|ogg|mpeg|mp3/;

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

  /** Browsers give a microphone to pages on https and localhost only. */
  get possible() {
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
    const pieces = [];
    let seconds = 0;
    this.#button.textContent = "Stop";
    this.#line.textContent = "Recording …";
    this.#count = setInterval(() => {
      seconds += 1;
      this.#line.textContent = `Recording … ${seconds} s`;
      if (seconds >= LONGEST_S - 1) {
        this.stop();
      }
    }, 1000);
    media.addEventListener("dataavailable", ({ data }) => pieces.push(data));
    media.addEventListener("stop", () => {
      clearInterval(this.#count);
      stream.getTracks().forEach((track) => track.stop());
      this.#media = null;
      this.recording = new Blob(pieces, { type: media.mimeType });
      this.#button.textContent = "Record";
      this.#line.textContent = `Recorded, ${seconds} s`;
    });
    media.start();
  }
}

/** Return a recording that the server reads: what it does not, such as m4a, becomes a WAV here. */
export async function toReadable(file) {
  if (READ_BY_THE_SERVER.test(file.type) && !/codecs|webm/.test(file.type)) {
    return file;
  }
  const context = new OfflineAudioContext(1, 1, RATE_HZ);
  let audio;
  try {
    audio = await context.decodeAudioData(await file.arrayBuffer());
  } catch {
    return file; // the server says what it reads
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
