// Enter sends, Shift+Enter breaks the line; the box is emptied when the server has taken the text.

/** @param {Document} root */
export function connectComposers(root) {
  root.addEventListener("keydown", (event) => {
    const box = event.target;
    if (!box.matches?.("[data-composer] textarea") || event.key !== "Enter") return;
    // While an input method composes a character, Enter belongs to it.
    if (event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (box.value.trim()) box.form.requestSubmit();
  });
  root.addEventListener("htmx:afterRequest", (event) => {
    const form = event.target.closest?.("[data-composer]");
    if (!form || event.detail.elt !== form || !event.detail.successful) return;
    const box = form.querySelector("textarea");
    box.value = "";
    box.focus();
    const client = form.querySelector("[name=client_id]");
    if (client) client.value = newClientId();
  });
}

function newClientId() {
  // crypto.randomUUID exists in secure contexts only; a console on a plain http address is not one.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
