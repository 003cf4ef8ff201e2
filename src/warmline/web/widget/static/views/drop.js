// Files dragged over the panel: it says that they may be dropped, and takes them. Anything else that is dragged is left alone.

import { h, icon } from "./dom.js";

export class DropZone {
  constructor({ texts, node, isOpen, onFiles }) {
    Object.assign(this, { isOpen, onFiles, depth: 0 });
    this.sign = h("div", { class: "drop", hidden: true, "aria-hidden": "true" }, icon("clip"), h("p", {}, texts.t("files.drop")));
    node.append(this.sign);
    // Entering a child comes before leaving its parent: only the count tells when the panel itself is left.
    node.addEventListener("dragenter", (event) => this.#over(event, 1));
    node.addEventListener("dragleave", (event) => this.#over(event, -1));
    node.addEventListener("dragover", (event) => { if (this.#wanted(event)) event.preventDefault(); });
    node.addEventListener("drop", (event) => this.#drop(event));
  }

  #wanted(event) {
    return this.isOpen() && Boolean(event.dataTransfer?.types.includes("Files"));
  }

  #over(event, step) {
    if (!this.#wanted(event)) return;
    event.preventDefault();
    this.depth = Math.max(0, this.depth + step);
    this.sign.hidden = !this.depth;
  }

  #drop(event) {
    if (!this.#wanted(event)) return;
    event.preventDefault();
    this.depth = 0;
    this.sign.hidden = true;
    this.onFiles(event.dataTransfer.files);
  }
}
