// Everything here listens on the document, so fragments that arrive later need no wiring of their own.
import { connectCopying } from "./copy.js";
import { connectDialogs } from "./dialog.js";
import { connectTheme } from "./theme.js";
import { connectTimes } from "./times.js";
import { connectComposers } from "./composer.js";
import { connectLive } from "./live.js";

connectCopying(document);
connectDialogs(document);
connectTheme(document);
connectTimes(document);
connectComposers(document);
connectLive(document);

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-dismiss]");
  button?.closest(button.dataset.dismiss)?.remove();
});
