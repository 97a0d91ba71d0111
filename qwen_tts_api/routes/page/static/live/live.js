// The live mode: what is typed is spoken while it is typed.
//
// What was sent is not taken back by the server, so it is marked. To change it interrupts, and what
// is spoken next begins with the changed sentence, or with the one that was being heard.

import { commonLength, indexOf, lastWordEnd, sentenceStart } from "./draft.js";
import { Marks } from "./marks.js";
import { Session } from "./session.js";

const PAUSE_MS = 1200; // of the keyboard, after which all is spoken; the server does so after 2 s
const SHOWN_LETTERS = 30;

export class Live {
  #textarea;
  #line;
  #marks;
  #player;
  #page;
  #session = null;
  #isStale = false; // whether the session's voice is not what is chosen now
  #base = 0; // where the session's text begins
  #sent = ""; // what was sent or passed over
  #heard = 0;
  #pause = 0;
  isOn = false;

  /**
   * @param textarea Where the text is typed.
   * @param copy An element behind it that shows the marks.
   * @param line Tells what was done, and is read out.
   * @param player Plays the audio.
   * @param page `fields()` of a request, without its text, or null, where one is wrong and that is
   *   shown; `onBegin()` before the first audio of a session; `onAudio(samples, delayMs)`; `onState(word)`; `onError(error)`, with null for none;
   *   `onRefused()` where there are no sockets.
   */
  constructor({ textarea, copy, line, player, page }) {
    this.#textarea = textarea;
    this.#line = line;
    this.#marks = new Marks(textarea, copy);
    this.#player = player;
    this.#page = page;
    textarea.addEventListener("compositionstart", () => clearTimeout(this.#pause));
    textarea.addEventListener("compositionend", () => this.#change(true));
    textarea.addEventListener("input", ({ isComposing, inputType }) => {
      if (!isComposing) {
        this.#change(inputType.startsWith("insert"));
      }
    });
  }

  get isSpeaking() {
    return this.#session?.isSpeaking ?? false;
  }

  /** How many characters of the text were sent or passed over. */
  get numSent() {
    return this.isOn ? [...this.#sent].length : 0;
  }

  /** Begin: what stands in the field is passed over, and the example replaced by what is typed. */
  start() {
    const { value, defaultValue } = this.#textarea;
    this.isOn = true;
    this.#sent = value;
    this.#base = value.length;
    this.#textarea.focus();
    this.#textarea.setSelectionRange(value === defaultValue ? 0 : value.length, value.length);
  }

  /** End: what was sent is not spoken on. */
  async stop() {
    await this.interrupt();
    this.passOver();
    this.isOn = false;
    this.#say("");
  }

  /** Speak with what is chosen now, as soon as nothing is spoken any more. */
  renew() {
    this.#isStale = true;
  }

  /** Speak none of what is in the field: something else is heard now. */
  passOver() {
    clearTimeout(this.#pause);
    this.#session?.close();
    this.#session = null;
    this.#sent = this.#textarea.value;
    this.#marks.show(0, 0, 0);
  }

  /** Have spoken what is there; return whether there is any that was not sent. */
  flush() {
    clearTimeout(this.#pause);
    this.#send(this.#textarea.value.length);
    return this.#session?.commit() ?? false;
  }

  /** Stop, and tell how much was heard; what is in the field is passed over. */
  async interrupt() {
    const session = this.#session;
    clearTimeout(this.#pause);
    if (session === null || !(session.isSpeaking || this.#player.playing)) {
      return;
    }
    const [text, base] = [this.#textarea.value, this.#base];
    const seconds = this.#silence();
    this.#sent = text;
    await session.interrupt();
    const characters = session.charactersAt(seconds);
    const end = base + indexOf(text.slice(base), characters);
    if (this.#session === null) {
      [this.#base, this.#heard] = [base, end];
      this.#marks.show(base, end, end);
    }
    const last = text.slice(Math.max(base, end - SHOWN_LETTERS), end).trim();
    this.#say(
      characters > 0
        ? `Interrupted after “${end - base > SHOWN_LETTERS ? "…" : ""}${last}”: about ${characters} of ` +
            `${[...text.slice(base)].length} characters, ${seconds.toFixed(1)} s.`
        : "Interrupted before the first word.",
    );
    this.#page.onState("interrupted");
  }

  /** Show how far it was heard; called while it is. */
  draw() {
    if (this.isOn && this.#session !== null) {
      const characters = this.#session.charactersAt(this.#player.position);
      const text = this.#sent.slice(this.#base);
      this.#heard = this.#base + indexOf(text, characters);
      this.#marks.show(this.#base, this.#heard, this.#sent.length);
    }
  }

  #change(isInsertion) {
    if (!this.isOn) {
      return;
    }
    clearTimeout(this.#pause);
    const { value, selectionEnd } = this.#textarea;
    const common = commonLength(this.#sent, value);
    if (common < this.#sent.length) {
      this.#takeBack(common);
    }
    if (isInsertion && selectionEnd === value.length) {
      this.#send(lastWordEnd(value)); // words are sent as they come only where the text grows
    }
    if (value.endsWith("\n") && isInsertion) {
      this.flush();
    } else {
      this.#pause = setTimeout(() => this.flush(), PAUSE_MS);
    }
    this.draw();
  }

  /** Begin anew with the sentence that was changed, or the one that is heard, if that is earlier. */
  #takeBack(changedAt) {
    const value = this.#textarea.value;
    let from = sentenceStart(value, changedAt);
    if (this.#session !== null && (this.isSpeaking || this.#player.playing)) {
      this.draw();
      from = sentenceStart(value, Math.min(changedAt, this.#heard));
      const session = this.#session;
      this.#silence();
      session.close();
      const isLeft = value.slice(from).trim() !== "";
      this.#say(isLeft ? "Interrupted: what was changed is spoken again." : "Interrupted.");
      this.#page.onState("interrupted");
    }
    this.#sent = value.slice(0, from);
    this.#base = Math.min(this.#base, from);
    this.#marks.show(from, from, from);
  }

  #send(end) {
    const value = this.#textarea.value;
    const text = value.slice(this.#sent.length, end);
    if (!text || (this.#session === null && !text.trim())) {
      return;
    }
    if (this.#session === null || (this.#isStale && !this.isSpeaking && !this.#player.playing)) {
      const fields = this.#page.fields();
      if (fields === null) {
        return;
      }
      this.#begin(fields);
    }
    this.#session.append(text);
    this.#sent = value.slice(0, end);
    this.#page.onState("listening");
  }

  #begin(fields) {
    this.#session?.close();
    this.#isStale = false;
    this.#base = this.#heard = this.#sent.length;
    this.#say("");
    this.#page.onError(null);
    this.#page.onBegin();
    const session = new Session(fields, {
      onAudio: (samples, delayMs) => {
        this.#player.push(samples);
        this.#page.onAudio(samples, delayMs);
      },
      onQuiet: () => this.#page.onState("complete"),
      onEnd: (error, isRefused) => this.#session === session && this.#ended(error, isRefused),
    });
    this.#session = session;
  }

  /** Go on, where anything is left, with the sentence that was heard when the session ended. */
  #ended(error, isRefused) {
    this.draw();
    this.#session = null;
    if (error === null) {
      return;
    }
    clearTimeout(this.#pause);
    this.#sent = this.#sent.slice(0, sentenceStart(this.#sent, this.#heard));
    this.#marks.show(this.#base, this.#heard, this.#heard);
    this.#page.onState(isRefused ? "refused" : "broken off");
    this.#page.onError(error);
    if (isRefused) {
      this.#page.onRefused();
    }
  }

  /** Stop the sound; return how many seconds were heard. */
  #silence() {
    const seconds = this.#player.position;
    this.#session = null;
    this.#player.silence();
    return seconds;
  }

  #say(text) {
    this.#line.textContent = text;
  }
}
