// Where the visitor writes. Enter sends, Shift+Enter breaks the line; a draft survives a reload of the page.

import { h, icon } from "./dom.js";
import { Tray } from "./tray.js";

const MAX_TEXT = 10000;

export class Composer {
  constructor({ texts, draft, files, onSend, onInput, onFocus }) {
    const { t } = texts;
    Object.assign(this, { t, draft, files, onSend, onInput, waits: false });
    this.tray = new Tray({ texts, files });
    this.field = h("textarea", {
      rows: 1, maxlength: MAX_TEXT, dir: "auto", placeholder: t("composer.placeholder"), "aria-label": t("composer.label"), autocomplete: "off", enterkeyhint: "send",
      oninput: () => this.#typed(), onkeydown: (event) => this.#key(event), onfocus: onFocus, onpaste: (event) => this.#paste(event), value: draft.get(),
    });
    this.send = h("button", { class: "send", type: "submit", "aria-label": t("composer.send"), title: t("composer.send") }, icon("send"));
    this.node = h("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
      this.tray.list, h("div", { class: "composer-row" }, files.limit ? this.tray.button : null, this.field, this.send), this.tray.picker, this.tray.said);
    this.#fit();
  }

  focus() {
    this.field.focus();
  }

  update() {
    this.tray.update();
    this.#mayGo();
    if (this.waits && !this.files.uploading) {
      this.waits = false;
      // What failed stays in sight; the rest is sent only when nothing is missing from it.
      if (!this.files.items.some((item) => item.state === "failed")) this.#submit();
    }
  }

  show(visible) {
    this.node.hidden = !visible;
    if (visible) this.#fit();
  }

  #key(event) {
    // While an input method composes a word, Enter belongs to it (keyCode 229 in browsers that clear the flag too early).
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    this.#submit();
  }

  #typed() {
    this.draft.set(this.field.value);
    this.#fit();
    if (this.field.value.trim()) this.onInput();
  }

  #paste(event) {
    const files = event.clipboardData?.files;
    // Office programs put a picture of the text beside the text: then the text is what was meant.
    if (!this.files.limit || !files?.length || event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    this.files.add(files);
  }

  #submit() {
    const text = this.field.value.trim();
    this.field.focus();
    // Pressed while a file is on its way: everything goes as soon as it has arrived.
    if (this.files.uploading) this.waits = true;
    else if (text || this.files.ready.length) {
      this.field.value = "";
      this.draft.set("");
      this.onSend(text, this.files.take());
    }
    this.#fit();
  }

  #mayGo() {
    this.send.disabled = !this.field.value.trim() && !this.files.ready.length && !this.files.uploading;
    this.node.classList.toggle("waits", this.waits);
  }

  #fit() {
    this.field.style.height = "auto";
    if (this.field.scrollHeight) this.field.style.height = `${this.field.scrollHeight}px`;
    this.#mayGo();
  }
}
