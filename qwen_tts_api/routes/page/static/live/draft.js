// Where a text that is being typed can be cut.

const WORD_END = /[\s\u3000-\u30ff\u3400-\u9fff\uff00-\uff65]/; // Chinese and Japanese have no spaces
const SENTENCE_END = /[.!?…]["'”’)\]]*\s+|[。！？]["'”’」』)\]]*\s*|\n+/g;

/** Return where the last whole word ends; what follows may still be its beginning. */
export function lastWordEnd(text) {
  let end = text.length;
  while (end > 0 && !WORD_END.test(text[end - 1])) {
    end -= 1;
  }
  return end;
}

/** Return where the sentence begins that a position lies in. */
export function sentenceStart(text, position) {
  const ends = [...text.matchAll(SENTENCE_END)].map(({ index, 0: { length } }) => index + length);
  return ends.findLast((end) => end <= position) ?? 0;
}

/** Return how much two texts have in common at their beginning. */
export function commonLength(one, other) {
  let length = 0;
  while (length < one.length && one[length] === other[length]) {
    length += 1;
  }
  return length;
}

/** Return the index in a string at which a number of characters ends, as the server counts them. */
export function indexOf(text, characters) {
  const isPlain = !/[\ud800-\udbff]/.test(text); // no character takes two places
  return isPlain
    ? Math.min(characters, text.length)
    : [...text].slice(0, characters).join("").length;
}
