// Where the visitor writes. Enter sends, Shift+Enter breaks the line; a draft survives a reload of the page.

import { h, icon } from "./dom.js";

const MAX_TEXT = 10000;

export class Composer {
  constructor({ texts, draft, onSend, onInput, onFocus }) {
    const { t } = texts;
    Object.assign(this, { t, draft, onSend, onInput });
    this.field = h("textarea", {
      rows: 1, maxlength: MAX_TEXT, dir: "auto", placeholder: t("composer.placeholder"), "aria-label": t("composer.label"), autocomplete: "off", enterkeyhint: "send",
      oninput: () => this.#typed(), onkeydown: (event) => this.#key(event), onfocus: onFocus, value: draft.get(),
    });
    this.send = h("button", { class: "send", type: "submit", "aria-label": t("composer.send"), title: t("composer.send") }, icon("send"));
    this.node = h("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); this.#submit(); } }, this.field, this.send);
    this.#fit();
  }

  focus() {
    this.field.focus();
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

  #submit() {
    const text = this.field.value.trim();
    this.field.focus();
    if (!text) return;
    this.field.value = "";
    this.draft.set("");
    this.#fit();
    this.onSend(text);
  }

  #fit() {
    this.field.style.height = "auto";
    if (this.field.scrollHeight) this.field.style.height = `${this.field.scrollHeight}px`;
    this.send.disabled = !this.field.value.trim();
  }
}
