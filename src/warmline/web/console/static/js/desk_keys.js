// j/k move through the lists; t, p, e and ? press the button that names the key; r writes; Escape goes back.

/** @param {Document} root */
export function connectKeys(root) {
  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || root.querySelector("dialog[open]")) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = { j: () => move(root, 1), k: () => move(root, -1), r: () => focusBox(root), Escape: () => back(root) };
    const press = root.querySelector(`[data-desk] [data-key="${CSS.escape(event.key)}"]`);
    if (!press && !act[event.key]) return;
    event.preventDefault();
    if (press) press.click();
    else act[event.key]();
  });
}

function move(root, by) {
  const rows = [...root.querySelectorAll("[data-desk] [data-conversation]")];
  if (!rows.length) return;
  const chosen = rows.indexOf(root.activeElement);
  const from = chosen >= 0 ? chosen : rows.findIndex((row) => row.getAttribute("aria-current") === "true");
  const next = from < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, from + by));
  rows[next].focus();
}

function focusBox(root) {
  root.querySelector("#talk-foot textarea")?.focus();
}

function back(root) {
  root.querySelector('[data-desk] [aria-current="true"]')?.focus();
}
