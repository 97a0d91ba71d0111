// What the page asks of the server. Addresses are relative: it may lie behind a path.

export const SAMPLE_RATE_HZ = 24000;

/** An answer that is an error: a sentence, and messages by the name of a field. */
export class ApiError extends Error {
  constructor(status, document) {
    super(document.error ?? `The server answered ${status}.`);
    this.status = status;
    this.code = document.code;
    this.fields = document.fields ?? {};
    this.requestId = document.request_id ?? "";
  }
}

// Kept until the tab is closed, and never shown.
const KEY = "qwen-tts-api key";

/** Whether there is a key, which the server may ask for. */
export const hasKey = () => sessionStorage.getItem(KEY) !== null;
export const setKey = (key) => sessionStorage.setItem(KEY, key);

/** `fetch` with the key. */
export function ask(path, options = {}) {
  const key = hasKey() ? { Authorization: `Bearer ${sessionStorage.getItem(KEY)}` } : {};
  return fetch(path, { ...options, headers: { ...options.headers, ...key } });
}

export async function refuse(response) {
  throw new ApiError(response.status, await response.json().catch(() => ({})));
}

/** Return the JSON at a path; an error is thrown unless `accept` has its status. */
export async function getJson(path, { query = {}, accept = [] } = {}) {
  const search = new URLSearchParams(query).toString();
  const response = await ask(search ? `${path}?${search}` : path);
  return response.ok || accept.includes(response.status) ? response.json() : refuse(response);
}

/** Return the methods that a path takes. */
export async function getMethods(path) {
  const response = await fetch(path, { method: "OPTIONS" });
  return (response.headers.get("Allow") ?? "").split(/,\s*/);
}

/**
 * JSON of a request. The seed is a text of digits here and a number there: it may have more of them
 * than JavaScript's numbers can hold.
 */
export function toJson(fields) {
  const { seed, ...others } = fields;
  const json = JSON.stringify(others);
  return seed === undefined ? json : `${json.slice(0, -1)},"seed":${seed}}`;
}

async function post(fields, signal) {
  const response = await ask("api/tts", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: toJson(fields),
    signal,
  });
  return response.ok ? response : refuse(response);
}

/** Return a whole file. */
export async function synthesize(fields) {
  return (await post(fields)).blob();
}

/**
 * Yield audio as it is made: `{ headers }` first, then `{ samples }`, each an Int16Array.
 * Leaving the loop, or aborting by the signal, ends the work on the server.
 */
export async function* stream(fields, signal) {
  const response = await post({ ...fields, stream: true, audio_format: "pcm" }, signal);
  yield { headers: response.headers };
  const reader = response.body.getReader();
  try {
    let odd = new Uint8Array(0); // half a sample, where a piece ends within one
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      const bytes = new Uint8Array(odd.length + value.length);
      bytes.set(odd);
      bytes.set(value, odd.length);
      const count = bytes.length >> 1;
      odd = bytes.slice(2 * count);
      if (count > 0) {
        yield { samples: toSamples(bytes, count) };
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function toSamples(bytes, count) {
  const view = new DataView(bytes.buffer);
  return Int16Array.from({ length: count }, (_, index) => view.getInt16(2 * index, true));
}
