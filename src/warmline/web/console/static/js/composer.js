// Enter sends, Shift+Enter breaks the line; the box is emptied when the server has taken the text.  Near the limit of a
// message it says how much is left; what is too long is neither cut nor sent.
const NEAR = 0.9;

/** @param {Document} root */
export function connectComposers(root) {
  root.addEventListener("keydown", (event) => {
    const box = event.target;
    if (!box.matches?.("[data-composer] textarea") || event.key !== "Enter") return;
    // While an input method composes a character, Enter belongs to it.
    if (event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (box.value.trim() || box.form.hasAttribute("data-has-files")) box.form.requestSubmit();
  });
  root.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-composer] textarea")) showCount(event.target);
  });
  root.addEventListener("htmx:afterRequest", (event) => {
    const form = event.target.closest?.("[data-composer]");
    if (!form || event.detail.elt !== form || !event.detail.successful) return;
    const box = form.querySelector("textarea");
    box.value = "";
    showCount(box);
    box.focus();
    const client = form.querySelector("[name=client_id]");
    if (client) client.value = newClientId();
  });
}

/** @param {HTMLTextAreaElement} box */
export function showCount(box) {
  const sign = box.form?.querySelector("[data-count]");
  const limit = Number(box.dataset.limit);
  if (!sign || !limit) return;
  // Characters as the server counts them: an emoji is one, not the two units of a script's string.
  const left = limit - Array.from(box.value.trim()).length;
  sign.hidden = left > limit * (1 - NEAR);
  sign.classList.toggle("over", left < 0);
  const number = Math.abs(left).toLocaleString("en");
  if (!sign.hidden) sign.textContent = left < 0 ? `${number} too many` : `${number} left`;
  box.setCustomValidity(left < 0 ? `A message has at most ${limit.toLocaleString("en")} characters.` : "");
}

function newClientId() {
  // crypto.randomUUID exists in secure contexts only; a console on a plain http address is not one.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
