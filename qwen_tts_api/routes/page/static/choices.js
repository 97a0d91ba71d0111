// The lists of models, voices and languages, and what the chosen model takes.

import { getJson } from "./api.js";

const element = (id) => document.getElementById(id);

function fill(select, entries, chosen) {
  select.replaceChildren(
    ...entries.map(({ value, label }) => new Option(label, value, false, value === chosen)),
  );
}

export class Choices {
  #models = [];
  #begun = false;

  get model() {
    return this.#models.find(({ name }) => name === element("model").value);
  }

  /** The model that speaks with the voice of a recording, if one is served. */
  get cloner() {
    return this.#models.find(({ kind }) => kind === "base")?.name;
  }

  /** Read the lists anew; what is chosen stays so where it still exists. */
  async load() {
    this.#models = await getJson("models");
    const chosen = element("model").value || this.#models.find((model) => model.default)?.name;
    const entries = this.#models.map(({ name }) => ({ value: name, label: name }));
    fill(element("model"), entries, chosen);
    element("model-field").hidden = this.#models.length < 2;
    await this.adapt();
  }

  /** Show what the chosen model takes. */
  async adapt({ speaker } = {}) {
    const { name, kind, takes_instruct: takesInstruct, default_speaker: usual } = this.model;
    // A request that names no model may name an added voice, too: the server finds the model.
    const query = this.model.default ? {} : { model: name };
    const [speakers, languages] = await Promise.all([
      getJson("speakers", { query }),
      getJson("languages", { query }),
    ]);
    if (name !== this.model.name) {
      return; // another one was chosen meanwhile
    }
    // Of the server's own list, Coqui's clients want every option selected: nobody has chosen yet.
    const before = this.#begun ? element("speaker").value : "";
    this.#begun = true;
    this.#showSpeakers(speakers, [speaker, before, usual]);
    this.#showLanguages(languages);
    element("instruct-field").hidden = takesInstruct !== true;
    element("instruct-label").textContent = kind === "voice_design" ? "The voice, described" : "Style";
    element("instruct").placeholder =
      kind === "voice_design" ? "A warm, low voice of an old sailor" : "Whispering, in a hurry";
  }

  /** The chosen values by the names of the request's fields. */
  get fields() {
    const fields = { language: element("language").value };
    if (!element("speaker-field").hidden) {
      fields.speaker = element("speaker").value;
    }
    if (!element("instruct-field").hidden) {
      fields.instruct = element("instruct").value.trim();
    }
    if (this.model && !this.model.default) {
      fields.model = this.model.name;
    }
    return fields;
  }

  #showSpeakers(speakers, wanted) {
    const chosen = wanted.find((id) => speakers.some(({ voice_id: there }) => there === id));
    const entries = speakers.map(({ name, voice_id: id, dialect }) => {
      const words = dialect?.replaceAll("_", " ");
      return { value: id, label: words ? `${name} (${words})` : name };
    });
    fill(element("speaker"), entries, chosen);
    element("speaker-field").hidden = speakers.length === 0;
  }

  #showLanguages(languages) {
    const wanted = (element("language").value || document.body.dataset.language).toLowerCase();
    const isWanted = ({ name, code }) => [name.toLowerCase(), code].includes(wanted);
    const entries = languages.map(({ name }) => ({ value: name, label: name }));
    fill(element("language"), entries, languages.find(isWanted)?.name);
  }
}
