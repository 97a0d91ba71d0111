// The curl command that repeats a request, and the button that copies it.

import { hasKey, toJson } from "./api.js";

/** Quote a text for a POSIX shell. */
export function quote(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Return the curl command for a request's fields. */
export function curl(fields) {
  const address = new URL("api/tts", document.baseURI).href;
  return [
    `curl ${quote(address)}`,
    ...(hasKey() ? ['-H "Authorization: Bearer $TTS_API_KEY"'] : []),
    "-H 'Content-Type: application/json'",
    `-d ${quote(toJson(fields))}`,
    `-o speech.${fields.audio_format ?? document.body.dataset.defaultFormat}`,
  ].join(" \\\n  ");
}

/** Have a button copy a text. */
export function offerCopy(button, code) {
  button.addEventListener("click", async () => {
    // Browsers have a clipboard on https and localhost only; elsewhere the text is selected.
    const isCopied = await navigator.clipboard?.writeText(code.textContent).then(
      () => true,
      () => false,
    );
    getSelection().selectAllChildren(code);
    button.textContent = isCopied ? "Copied" : "Selected";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
}
