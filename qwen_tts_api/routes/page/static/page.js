// The page: reads the form, requests speech, and plays it.

import { keep, kept, SAMPLE_RATE_HZ, setKey, stream, synthesize } from "./api.js";
import { Choices } from "./choices.js";
import { curl, offerCopy } from "./curl.js";
import { clearError, showError } from "./errors.js";
import { offerLive } from "./live/panel.js";
import { Player } from "./player.js";
import { Wave } from "./show/wave.js";
import { Words } from "./show/words.js";
import { watchServer } from "./status.js";
import { offerVoices } from "./voices/voices.js";
import { save, toWav } from "./wav.js";

const element = (id) => document.getElementById(id);
const form = element("request");
const choices = new Choices();
const player = new Player(SAMPLE_RATE_HZ);
const wave = new Wave(element("canvas"), SAMPLE_RATE_HZ);
const words = new Words(element("words"));
const TEXT_ITEM = "qwen-tts-api text";
const NUMBERS = [...element("request").querySelectorAll("details input")].map(({ name }) => name);

const live = offerLive(player, {
  fields: readFields,
  onBegin: beginLive,
  onAudio: showLiveAudio,
  onState: showLiveState,
  onError: (error) => (error === null ? clearError(form, element("error")) : fail(error)),
  onSwitch: countLetters,
});

let running = null; // the AbortController of the current request
let lastFields = null; // the fields that reproduce the last audio

const server = watchServer(element("status"), { onReady: begin, onAway: showState });

async function begin() {
  clearError(form, element("error"));
  try {
    await choices.load();
    await offerVoices(choices);
  } catch (error) {
    fail(error);
  }
  showState();
}

// The request

function readFields() {
  const fields = { text: element("text").value, ...choices.fields };
  for (const name of NUMBERS) {
    const given = form.elements[name].value.trim();
    if (given !== "") {
      fields[name] = name === "seed" ? BigInt(given).toString() : Number(given);
    }
  }
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
}

async function speak(fields) {
  stop();
  live.passOver();
  const controller = (running = new AbortController());
  lastFields = null;
  clearError(form, element("error"));
  wave.reset();
  words.reset();
  showWaiting();
  const began = performance.now();
  try {
    player.reset();
    for await (const { headers, samples, segment, ended } of stream(fields, controller.signal)) {
      if (headers) {
        lastFields = { ...fields, seed: headers.get("X-Seed") };
        showStarted();
      } else if (segment) {
        words.show(segment, { ended });
      } else {
        if (player.numSamples === 0) {
          element("first-audio").textContent = `${Math.round(performance.now() - began)} ms`;
        }
        player.push(samples);
        wave.push(samples);
        showProgress((performance.now() - began) / 1000);
      }
    }
    finish(controller, "complete");
  } catch (error) {
    finish(controller, controller.signal.aborted ? "stopped" : lastFields ? "broken off" : "refused");
    if (!controller.signal.aborted) {
      fail(lastFields ? new Error("The connection broke off: the audio is not whole.") : error);
    }
    if (error instanceof TypeError) {
      server.check(); // `fetch` and its stream break off so where the connection does
    }
  }
}

function stop() {
  running?.abort();
  live.interrupt();
  player.silence();
}

function finish(controller, state) {
  if (running === controller) {
    running = null;
    const gaps = player.gaps ? `, ${player.gaps} gap${player.gaps > 1 ? "s" : ""}` : "";
    element("state").textContent = `${state}${gaps}`;
    showState();
  }
}

function fail(error) {
  if (error.code === "unauthorized") {
    element("key-field").hidden = false;
    element("key").focus();
  }
  showError(form, element("error"), error);
}

// The live mode

function beginLive() {
  running?.abort();
  lastFields = null;
  player.reset({ mayPause: true });
  wave.reset();
  words.reset();
  showWaiting();
}

function showLiveAudio(samples, delayMs) {
  wave.push(samples);
  if (delayMs !== null) {
    element("first-audio").textContent = `${Math.round(delayMs)} ms`;
  }
  element("duration").textContent = `${player.duration.toFixed(2)} s`;
  showLiveState("speaking");
}

function showLiveState(word) {
  if (element("state").textContent !== word) {
    element("state").textContent = word; // screen readers announce a change only
    showState();
  }
  countLetters();
}

// The display

function showWaiting() {
  for (const id of ["first-audio", "duration", "rtf"]) {
    element(id).textContent = "–";
  }
  element("state").textContent = "waiting";
  element("command").hidden = true;
  showState();
}

function showStarted() {
  element("curl").textContent = curl(lastFields);
  element("command").hidden = false;
  element("state").textContent = "speaking";
}

function showProgress(seconds) {
  const factor = seconds / player.duration;
  element("duration").textContent = `${player.duration.toFixed(2)} s`;
  element("rtf").textContent = `${factor.toFixed(3)} (${(1 / factor).toFixed(1)} ×)`;
}

function showState() {
  const some = !isBusy() && player.numSamples > 0;
  element("speak").disabled = element("preview").disabled = !server.isReady();
  element("play").disabled = !some;
  element("download").disabled = !some;
  element("format").disabled = element("keep-seed").disabled = !some || lastFields === null;
  if (lastFields === null) {
    element("format").value = "wav"; // of the samples that were played: the server has no others
  }
  element("position").disabled = !some;
  drawWhilePlaying();
}

const isBusy = () => running !== null || live.isSpeaking;

let drawing = false;

function drawWhilePlaying() {
  if (!drawing) {
    drawing = true;
    requestAnimationFrame(draw);
  }
}

function draw() {
  const { position, duration, playing } = player;
  wave.draw(position, isBusy());
  words.draw(position);
  live.draw();
  element("position").max = duration;
  element("position").value = position;
  element("position").setAttribute(
    "aria-valuetext",
    `${position.toFixed(1)} of ${duration.toFixed(1)} seconds`,
  );
  element("play").textContent = playing && !isBusy() ? "Pause" : "Play";
  element("stop").disabled = !isBusy() && !playing;
  drawing = playing || isBusy();
  if (drawing) {
    requestAnimationFrame(draw);
  }
}

function countLetters() {
  const allowed = Number(document.body.dataset.maxTextChars);
  const letters = [...element("text").value].length;
  const sent = live.isOn ? `, ${live.numSent} sent` : "";
  element("count").textContent = `${letters} of ${allowed} characters${sent}`;
}

// Events of keys and buttons

// A field that is refused has to be seen.
form.addEventListener("invalid", ({ target }) => target.closest("details")?.setAttribute("open", ""), {
  capture: true,
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!server.isReady()) {
    fail(new Error(`${element("status").textContent}.`));
  } else if (!(live.isOn && live.flush())) {
    speak(readFields());
  }
});

document.addEventListener("keydown", (event) => {
  if (event.isComposing || document.querySelector("dialog[open]")) {
    return; // an input method and a dialog have such keys, too
  }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    if (!event.repeat) {
      form.requestSubmit();
    }
  } else if (event.key === "Escape") {
    stop();
  }
});

element("key").addEventListener("change", ({ target }) => {
  setKey(target.value);
  begin();
});

element("stop").addEventListener("click", stop);
element("text").addEventListener("input", ({ target }) => {
  keep(TEXT_ITEM, target.value);
  countLetters();
});
element("model").addEventListener("change", () => choices.adapt().catch(fail));
element("preview").addEventListener("click", () => {
  speak({ ...choices.fields, text: "Hello, this is my voice." });
});

element("play").addEventListener("click", () => {
  const { playing, position, duration } = player;
  if (playing) {
    player.silence();
  } else {
    player.playFrom(position < duration - 0.01 ? position : 0);
  }
  drawWhilePlaying();
});

element("position").addEventListener("input", (event) => {
  player.playFrom(Number(event.target.value));
  drawWhilePlaying();
});

element("download").addEventListener("click", async () => {
  const format = element("format").value;
  try {
    const isWav = format === "wav"; // the samples that were played; the server encodes other formats
    const file = isWav
      ? toWav(player.chunks, SAMPLE_RATE_HZ)
      : await synthesize({ ...lastFields, audio_format: format });
    save(file, `speech.${format}`);
  } catch (error) {
    fail(error);
  }
});

element("keep-seed").addEventListener("click", () => {
  element("seed").value = lastFields.seed;
  element("seed").closest("details").open = true;
  element("seed").focus();
});

addEventListener("resize", drawWhilePlaying);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawWhilePlaying);

const formats = document.body.dataset.formats.split(" ");
element("format").replaceChildren(...formats.map((name) => new Option(name, name)));
offerCopy(element("copy"), element("curl"));
element("text").value = kept(TEXT_ITEM) ?? element("text").value;
countLetters();
showState();
