// Poll the server's readiness, and show it.

import { getJson } from "./api.js";

const LOADING_MS = 1000;
const READY_MS = 15_000;
const TIMEOUT_MS = 10_000; // after which a server that does not answer counts as away
const STATES = {
  loading: { word: "Loading", look: "loading" },
  ready: { word: "Ready", look: "ready" },
  recovering: { word: "Recovering", look: "loading" },
  draining: { word: "Shutting down", look: "away" },
  failed: { word: "Failed", look: "away" },
};

/**
 * Show the server's state; call `onReady` whenever it has become ready, and `onAway` whenever it no
 * longer is. Return `isReady()`, and `check()`, which asks now.
 */
export function watchServer(line, { onReady, onAway }) {
  let ready = false;
  let timer = 0;

  async function poll() {
    const server = await getJson("readyz", { accept: [503], timeoutMs: TIMEOUT_MS }).catch(() => null);
    const wasReady = ready;
    ready = ["ready", "recovering"].includes(server?.status);
    line.dataset.state = STATES[server?.status]?.look ?? "away";
    show(describe(server));
    if (ready !== wasReady) {
      await (ready ? onReady() : onAway());
    }
    clearTimeout(timer);
    timer = setTimeout(poll, ready ? READY_MS : LOADING_MS);
  }

  function show(text) {
    if (line.textContent !== text) {
      line.textContent = text; // screen readers announce a change only
    }
  }

  poll();
  return { isReady: () => ready, check: poll };
}

function describe(server) {
  if (server === null) {
    return "The server cannot be reached";
  }
  const detail = server.status === "ready" ? describeModel(server) : server.doing;
  const word = STATES[server.status]?.word ?? server.status;
  return detail ? `${word}: ${detail}` : word;
}

function describeModel({ model, device }) {
  return device ? `${model} on ${device}` : model;
}
