// <button data-opens="#dialog">, <button data-closes>: native dialogs keep focus and Escape by themselves.

/** @param {Document} root */
export function connectDialogs(root) {
  root.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) root.querySelector(opener.dataset.opens)?.showModal();
    const closer = event.target.closest("[data-closes]");
    if (closer) closer.closest("dialog")?.close();
    if (event.target instanceof HTMLDialogElement && outside(event)) event.target.close();
  });
}

function outside(event) {
  const box = event.target.getBoundingClientRect();
  const { clientX: x, clientY: y } = event;
  // A click made by the keyboard reports 0, 0 and is never outside.
  return (x || y) && (x < box.left || x > box.right || y < box.top || y > box.bottom);
}
