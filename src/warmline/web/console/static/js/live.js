// Shows in [data-live-state] whether the page's event stream is open, and keeps a transcript at its end.
const NEAR_END_PX = 120;

/** @param {Document} root */
export function connectLive(root) {
  const show = (state) => {
    for (const sign of root.querySelectorAll("[data-live-state]")) sign.dataset.liveState = state;
    root.documentElement.toggleAttribute("data-offline", state === "lost");
  };
  root.addEventListener("htmx:sseOpen", () => show("open"));
  root.addEventListener("htmx:sseError", () => show("lost"));
  root.addEventListener("htmx:sseClose", () => show("lost"));

  let follow = true;
  root.addEventListener("htmx:sseBeforeMessage", () => {
    const pane = root.querySelector("[data-follow-end]");
    follow = !pane || pane.scrollHeight - pane.scrollTop - pane.clientHeight < NEAR_END_PX;
  });
  root.addEventListener("htmx:sseMessage", () => {
    const pane = root.querySelector("[data-follow-end]");
    if (pane && follow) pane.scrollTop = pane.scrollHeight;
  });
  const pane = root.querySelector("[data-follow-end]");
  if (pane) pane.scrollTop = pane.scrollHeight;
}
