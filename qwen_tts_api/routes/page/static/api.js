// The client of the server's API. URLs are relative, since a proxy may serve the page below a path.

export const SAMPLE_RATE_HZ = 24000;

/** An error response: a message, and messages by the name of a field. */
export class ApiError extends Error {
  constructor(status, document) {
    super(document.error ?? `The server answered ${status}.`);
    this.status = status;
    this.code = document.code;
    this.fields = document.fields ?? {};
    this.requestId = document.request_id ?? "";
  }
}

// The name in the session storage, which is kept until the tab is closed.
const KEY_ITEM = "qwen-tts-api key";
const storage = openStorage();
let key = kept(KEY_ITEM) ?? "";

/** Return the session storage, or null where the browser allows the page none. */
function openStorage() {
  try {
    return globalThis.sessionStorage;
  } catch {
    return null;
  }
}

/** Return what was kept under a name in this tab, also by the page before a reload; or undefined. */
export function kept(name) {
  return storage?.getItem(name) ?? undefined;
}

export function keep(name, value) {
  try {
    storage?.setItem(name, value);
  } catch {
    // More than the browser keeps.
  }
}

/** Return whether an API key was entered. */
export const hasKey = () => key !== "";

export function setKey(typed) {
  key = typed.trim();
  keep(KEY_ITEM, key);
}

/** Return the key in UTF-8, a letter for each byte: `fetch` and `btoa` take no others. */
const keyBytes = () => String.fromCharCode(...new TextEncoder().encode(key));

/** Return the subprotocols of a WebSocket that carry the API key; see docs/api/javascript.md. */
export function keySubprotocols() {
  if (!hasKey()) {
    return [];
  }
  const base64 = btoa(keyBytes()).replaceAll("+", "-").replaceAll("/", "_");
  return ["qwen-tts-api", `bearer.${base64.replaceAll("=", "")}`];
}

/** Call `fetch` with the API key. */
export function fetchWithKey(path, options = {}) {
  const authorization = hasKey() ? { Authorization: `Bearer ${keyBytes()}` } : {};
  return fetch(path, { ...options, headers: { ...options.headers, ...authorization } });
}

/** Throw the error of a response. */
export async function throwApiError(response) {
  throw new ApiError(response.status, await response.json().catch(() => ({})));
}

/** Return the JSON at a path; throw an error unless the status is 2xx or in `accept`. */
export async function getJson(path, { query = {}, accept = [], timeoutMs = null } = {}) {
  const search = new URLSearchParams(query).toString();
  const signal = timeoutMs === null ? null : AbortSignal.timeout(timeoutMs);
  const response = await fetchWithKey(search ? `${path}?${search}` : path, { signal });
  return response.ok || accept.includes(response.status) ? response.json() : throwApiError(response);
}

/** Return the methods that a path allows. */
export async function getMethods(path) {
  const response = await fetch(path, { method: "OPTIONS" });
  return (response.headers.get("Allow") ?? "").split(/,\s*/);
}

/**
 * Serialize the fields of a request. The seed is a string of digits here and a number in JSON, since
 * it may exceed JavaScript's safe integers.
 */
export function toJson(fields) {
  const { seed, ...others } = fields;
  const json = JSON.stringify(others);
  return seed === undefined ? json : `${json.slice(0, -1)},"seed":${seed}}`;
}

async function post(fields, signal) {
  const response = await fetchWithKey("api/tts", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: toJson(fields),
    signal,
  });
  return response.ok ? response : throwApiError(response);
}

/** Synthesize a whole file. */
export async function synthesize(fields) {
  return (await post(fields)).blob();
}

/**
 * Synthesize a stream: yield `{ headers }` first, then `{ samples }`, each an Int16Array, and
 * `{ segment, ended }`: when the words of a part of the text are heard, if `ended`, or are likely to
 * be. Leaving the loop, or aborting the signal, cancels the request.
 */
export async function* stream(fields, signal) {
  const asked = { ...fields, stream: true, timestamps: true, audio_format: "pcm" };
  const response = await post(asked, signal);
  yield { headers: response.headers };
  for await (const line of readLines(response.body.getReader())) {
    const { audio_base64: audio, expected, segment } = JSON.parse(line);
    if (audio) {
      yield { samples: decodeSamples(audio) };
    } else if (segment ?? expected) {
      yield { segment: segment ?? expected, ended: segment !== undefined };
    }
  }
}

async function* readLines(reader) {
  const decoder = new TextDecoder();
  try {
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop();
      yield* lines;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Return the 16-bit samples in base64. */
export function decodeSamples(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  return Int16Array.from({ length: bytes.length >> 1 }, (_, index) => view.getInt16(2 * index, true));
}
