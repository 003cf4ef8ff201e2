// The choice is a cookie, so the server sends the right page at once and nothing flashes.
const YEAR_S = 31536000;

/** @param {Document} root */
export function connectTheme(root) {
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    const choice = button.dataset.themeChoice;
    if (choice === "auto") delete root.documentElement.dataset.theme;
    else root.documentElement.dataset.theme = choice;
    const age = choice === "auto" ? 0 : YEAR_S;
    root.cookie = `warmline_theme=${choice}; path=/console; max-age=${age}; samesite=lax`;
    for (const other of root.querySelectorAll("[data-theme-choice]")) {
      other.setAttribute("aria-pressed", String(other.dataset.themeChoice === choice));
    }
  });
}
