// Shows the words of what is spoken, and marks the one that is heard.

export class Words {
  #element;
  #words = []; // { span, start, end } with seconds of audio
  #numEnded = 0; // of them, those of segments that have ended
  #current = null; // the span that is marked

  constructor(element) {
    this.#element = element;
  }

  reset() {
    this.#element.replaceChildren();
    this.#element.hidden = true;
    this.#words = [];
    this.#numEnded = 0;
    this.#current = null;
  }

  /** Show a segment: as it is likely to be heard, or, where it has ended, as it was. */
  show({ text, words }, { ended }) {
    for (const { span } of this.#words.splice(this.#numEnded)) {
      span.remove();
    }
    this.#trim();
    let position = 0;
    if (this.#words.length > 0) {
      this.#element.append(" ");
    }
    for (const { word, start, end } of words) {
      const begin = text.indexOf(word, position);
      const span = document.createElement("span");
      span.textContent = word;
      this.#element.append(text.slice(position, begin), span);
      this.#words.push({ span, start, end });
      position = begin + word.length;
    }
    this.#numEnded = ended ? this.#words.length : this.#numEnded;
    this.#element.hidden = false;
  }

  /** Mark the word at a position in seconds; none before the first. */
  draw(position) {
    const word = this.#words.findLast(({ start }) => start <= position);
    const span = word?.span ?? null;
    if (span === this.#current) {
      return;
    }
    this.#current?.classList.remove("heard");
    span?.classList.add("heard");
    this.#current = span;
    if (span !== null) {
      this.#scrollTo(span);
    }
  }

  /** Remove the white space behind the last word. */
  #trim() {
    const last = this.#words.at(-1)?.span ?? null;
    while (this.#element.lastChild !== last) {
      this.#element.lastChild.remove();
    }
  }

  /** Scroll the words alone: `scrollIntoView` would move the page, too. */
  #scrollTo(span) {
    const { top, bottom } = span.getBoundingClientRect();
    const view = this.#element.getBoundingClientRect();
    if (top < view.top || bottom > view.bottom) {
      this.#element.scrollTop += top - view.top - (view.height - (bottom - top)) / 2;
    }
  }
}
