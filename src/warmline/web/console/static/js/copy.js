// <button data-copy="#id">: copies the element's text and says so for two seconds.
const SAID_MS = 2000;

/** @param {Document} root */
export function connectCopying(root) {
  root.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    const source = button && root.querySelector(button.dataset.copy);
    if (!source) return;
    const text = source.value ?? source.textContent.trim();
    if (!(await copied(text))) return select(source);
    say(button, button.dataset.copied ?? "Copied");
  });
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // no permission, or not a secure context: the reader copies by hand
  }
}

function select(source) {
  if (source.select) return source.select();
  getSelection().selectAllChildren(source);
}

function say(button, word) {
  const label = button.querySelector("[data-copy-label]") ?? button;
  if (label.dataset.before) return;
  label.dataset.before = label.textContent;
  label.textContent = word;
  setTimeout(() => {
    label.textContent = label.dataset.before;
    delete label.dataset.before;
  }, SAID_MS);
}
