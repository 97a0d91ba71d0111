// Show an error's message in a live region, and its field messages beside the fields.

import { ApiError } from "./api.js";

/** Remove what `showError` has shown. */
export function clearError(form, region) {
  region.replaceChildren();
  form.querySelectorAll(".fault").forEach((fault) => fault.remove());
  for (const input of form.querySelectorAll("[aria-invalid]")) {
    input.removeAttribute("aria-invalid");
    describe(input, (ids) => ids.filter((id) => id !== faultId(input)));
  }
}

/** Show the error of a request. */
export function showError(form, region, error) {
  clearError(form, region);
  const isUnreachable = error instanceof TypeError; // thrown by `fetch`
  region.append(isUnreachable ? "The server cannot be reached." : error.message);
  if (!(error instanceof ApiError)) {
    return;
  }
  if (error.requestId) {
    const id = document.createElement("small");
    id.textContent = `Request ${error.requestId}`;
    region.append(id);
  }
  for (const [name, messages] of Object.entries(error.fields)) {
    const input = form.elements.namedItem(name);
    if (input instanceof Element) {
      markInvalid(form, input, messages.join(" "));
    }
  }
  form.querySelector("[aria-invalid]")?.focus();
}

function markInvalid(form, input, message) {
  const fault = document.createElement("p");
  fault.className = "fault";
  fault.id = faultId(input);
  fault.textContent = message;
  (input.closest(".field") ?? form).append(fault);
  input.closest("details")?.setAttribute("open", "");
  input.setAttribute("aria-invalid", "true");
  describe(input, (ids) => [...ids, fault.id]);
}

const faultId = (input) => `${input.id}-fault`;

function describe(input, change) {
  const ids = (input.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);
  input.setAttribute("aria-describedby", change(ids).join(" "));
}
