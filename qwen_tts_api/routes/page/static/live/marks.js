// Marks in a textarea, which can have none of its own: by a copy of its text behind it.

export class Marks {
  #textarea;
  #copy;
  #shown = [];

  constructor(textarea, copy) {
    this.#textarea = textarea;
    this.#copy = copy;
    textarea.addEventListener("scroll", () => this.#align());
    new ResizeObserver(() => this.#align()).observe(textarea);
  }

  /** Mark what was heard, from `from` to `heard`, and what was sent, to `sent`; nothing if empty. */
  show(from, heard, sent) {
    const text = this.#textarea.value;
    const wanted = [from, heard, sent, text];
    if (wanted.every((value, index) => value === this.#shown[index])) {
      return;
    }
    this.#shown = wanted;
    this.#copy.replaceChildren(
      text.slice(0, from),
      mark("heard", text.slice(from, heard)),
      mark("sent", text.slice(heard, sent)),
      `${text.slice(sent)}\n`, // a line that ends the text has a height, too
    );
    this.#align();
  }

  #align() {
    const { offsetWidth, clientWidth, scrollTop } = this.#textarea;
    this.#copy.style.paddingInlineEnd = `calc(0.65rem + ${offsetWidth - clientWidth - 2}px)`;
    this.#copy.scrollTop = scrollTop;
  }
}

function mark(name, text) {
  const element = document.createElement("mark");
  element.className = name;
  element.textContent = text;
  return element;
}
