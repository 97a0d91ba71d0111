// Register voices from recordings, and delete them; shown if a Base model is served and voices can
// be registered.

import { ApiError, fetchWithKey, getJson, getMethods, throwApiError } from "../api.js";
import { clearError, showError } from "../errors.js";
import { Recorder, toAcceptedFormat } from "./recorder.js";

const element = (id) => document.getElementById(id);
const dialog = element("voice-dialog");
const form = element("voice-form");
const recorder = new Recorder(element("record"), element("recorded"), () => {
  element("voice-audio").value = ""; // the recording takes its place
});
let choices = null;
let busy = false;

/** Show the button if voices can be registered. */
export async function offerVoices(loaded) {
  choices = loaded;
  const methods = choices.cloner ? await getMethods("speakers") : [];
  element("add-voice").hidden = !methods.includes("POST");
  element("record").hidden = !recorder.isAvailable;
}

async function add() {
  const fields = new FormData(form);
  const recording = (await recorder.finish()) ?? fields.get("audio");
  if (recording.size === 0) {
    const message = recording.name ? "The file is empty." : "Choose a file, or record one.";
    throw new ApiError(400, { error: message, fields: { audio: [message] } });
  }
  fields.set("audio", await toAcceptedFormat(recording), "recording.wav");
  const response = await fetchWithKey("speakers", { method: "POST", body: fields });
  const voice = response.ok ? await response.json() : await throwApiError(response);
  dialog.close();
  await choices.adapt({ speaker: voice.voice_id });
}

async function remove(id) {
  const response = await fetchWithKey(`speakers/${encodeURIComponent(id)}`, { method: "DELETE" });
  if (!response.ok) {
    await throwApiError(response);
  }
  await Promise.all([listVoices(), choices.adapt()]);
  const others = element("voice-list").querySelectorAll("button"); // the one with the focus is gone
  (others[0] ?? element("voice-cancel")).focus();
}

async function listVoices() {
  const speakers = await getJson("speakers", { query: { model: choices.cloner } });
  const registered = speakers.filter(({ kind }) => kind === "registered");
  element("voice-list").hidden = registered.length === 0;
  element("voice-list").querySelector("ul").replaceChildren(...registered.map(toItem));
}

function toItem({ name, voice_id: id }) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Delete";
  button.setAttribute("aria-label", `Delete ${name}`);
  button.addEventListener("click", () => {
    if (confirm(`Delete the voice ${name}, with its recording?`)) {
      attempt(() => remove(id));
    }
  });
  item.append(name, button);
  return item;
}

async function attempt(action) {
  if (busy) {
    return;
  }
  busy = true;
  clearError(form, element("voice-error"));
  try {
    await action();
  } catch (error) {
    showError(form, element("voice-error"), error);
  } finally {
    busy = false;
  }
}

element("add-voice").addEventListener("click", () => {
  form.reset();
  recorder.reset();
  dialog.showModal();
  attempt(listVoices);
});
element("voice-cancel").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => recorder.reset());
element("voice-audio").addEventListener("change", () => recorder.reset());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(add);
});
