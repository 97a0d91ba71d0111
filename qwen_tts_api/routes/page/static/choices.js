// The lists of models, voices and languages, and the fields that the chosen model has.

import { getJson } from "./api.js";

const element = (id) => document.getElementById(id);

function fill(select, entries, chosen) {
  select.replaceChildren(
    ...entries.map(({ value, label }) => new Option(label, value, false, value === chosen)),
  );
}

export class Choices {
  #models = [];
  #isLoaded = false;

  get model() {
    return this.#models.find(({ name }) => name === element("model").value);
  }

  /** The name of the first Base model, if one is served. */
  get cloner() {
    return this.#models.find(({ kind }) => kind === "base")?.name;
  }

  /** Load the lists; keep the selection where it still exists. */
  async load() {
    this.#models = await getJson("models");
    const chosen = element("model").value || this.#models.find((model) => model.default)?.name;
    const entries = this.#models.map(({ name }) => ({ value: name, label: name }));
    fill(element("model"), entries, chosen);
    element("model-field").hidden = this.#models.length < 2;
    await this.adapt();
  }

  /** Show the voices, languages and fields of the chosen model. */
  async adapt({ speaker } = {}) {
    const { name, kind, takes_instruct: takesInstruct, default_speaker: usual } = this.model;
    // Requests without a model may name a registered voice: the server chooses the model.
    const query = this.model.default ? {} : { model: name };
    const [speakers, languages] = await Promise.all([
      getJson("speakers", { query }),
      getJson("languages", { query }),
    ]);
    if (name !== this.model.name) {
      return; // another model was chosen meanwhile
    }
    // In the server's HTML every option is selected, for Coqui's clients: not the user's choice.
    const before = this.#isLoaded ? element("speaker").value : "";
    this.#isLoaded = true;
    this.#showSpeakers(speakers, [speaker, before, usual]);
    this.#showLanguages(languages);
    element("instruct-field").hidden = takesInstruct !== true;
    element("instruct-label").textContent = kind === "voice_design" ? "The voice, described" : "Style";
    element("instruct").placeholder =
      kind === "voice_design" ? "A warm, low voice of an old sailor" : "Whispering, in a hurry";
  }

  /** The chosen values by the request's field names. */
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
