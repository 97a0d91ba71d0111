// The elements of the live mode: its switch, what its keys do, and what a session is told.

import { Live } from "./live.js";

const element = (id) => document.getElementById(id);

/**
 * Return the live mode, which its switch turns on and off.
 * @param page `fields()` of a request; `onBegin`, `onAudio`, `onState`, `onError` as of `Live`;
 *   `onSwitch()`.
 */
export function offerLive(player, page) {
  const live = new Live({
    textarea: element("text"),
    copy: element("marks"),
    line: element("live-line"),
    player,
    page: { ...page, fields, onRefused: () => turn(false) },
  });

  function fields() {
    if (!element("request").reportValidity()) {
      return null;
    }
    const { text, ...others } = page.fields();
    const mode = element("live_mode").value;
    return mode ? { ...others, live_mode: mode } : others;
  }

  function turn(isOn) {
    element("live").checked = isOn;
    element("keys").hidden = isOn;
    element("live-keys").hidden = !isOn;
    if (isOn) {
      live.start();
    } else {
      live.stop();
    }
    page.onSwitch();
  }

  const modes = ["", ...document.body.dataset.liveModes.split(" ")];
  element("live_mode").replaceChildren(
    ...modes.map((name) => new Option(name || "as the server has it", name)),
  );
  element("live").checked = false; // browsers keep it over a reload
  element("live").addEventListener("change", ({ target }) => turn(target.checked));
  element("request").addEventListener("change", ({ target }) => {
    if (!["text", "live"].includes(target.id)) {
      live.renew();
    }
  });
  return live;
}
