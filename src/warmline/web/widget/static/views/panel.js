// The whole panel: puts the views together and turns what the visitor does into calls of the chat.

import { isWaiting } from "../models/conversation.js";
import { Composer } from "./composer.js";
import { ContactForm } from "./contact.js";
import { DropZone } from "./drop.js";
import { h } from "./dom.js";
import { Header } from "./header.js";
import { Log } from "./log.js";
import { Banner, ContactOffer, EndedCard, EndQuestion } from "./notices.js";
import { WaitingCard } from "./waiting.js";

export class Panel {
  constructor({ texts, config, chat, files, links, draft, onClose, onAgain, onRetry, onSeen }) {
    Object.assign(this, { chat, onSeen, shown: {}, asking: false, writing: false });
    this.header = new Header({ texts, config, onClose, onEnd: () => this.#ask(!this.asking) });
    this.log = new Log({ texts, links, onReply: (text, id) => { chat.say(text, id); this.composer.focus(); }, onRetry: (id) => chat.outbox.retry(id), onSeen });
    this.banner = new Banner({ texts, onRetry });
    this.question = new EndQuestion({ texts, onEnd: () => { this.asking = false; this.#arrange(); this.focus(); chat.end(); }, onClose: () => this.#ask(false) });
    this.waiting = new WaitingCard({ texts, onCancel: () => chat.cancelWaiting(), onContact: () => this.#write(true), onKeep: () => this.update() });
    this.offer = new ContactOffer({ texts, onOpen: () => this.#write(true) });
    this.contact = new ContactForm({ texts, onSend: (values) => chat.leaveContact(values), onCancel: () => this.#write(false) });
    this.ended = new EndedCard({ texts, onAgain });
    this.composer = new Composer({ texts, draft, files, onSend: (text, sent) => chat.say(text, null, sent), onInput: () => chat.typed(), onFocus: onSeen });
    this.trouble = h("p", { class: "toast", role: "alert", hidden: true }, texts.t("action.failed"));
    this.node = h("main", { class: "panel", "aria-label": texts.t("launcher.title") },
      this.header.node, this.banner.node, this.log.node,
      h("div", { class: "foot" },
        h("div", { class: "cards" }, this.trouble, this.question.node, this.waiting.node, this.offer.node, this.contact.node, this.ended.node), this.composer.node));
    if (files.limit) {
      this.drop = new DropZone({ texts, node: this.node, isOpen: () => !this.composer.node.hidden, onFiles: (given) => { files.add(given); this.composer.focus(); } });
    }
  }

  update() {
    const { chat } = this;
    const { state, items } = chat;
    const held = document.activeElement;
    if (this.shown.conversation !== state.conversation) {
      if (this.shown.conversation) this.composer.files.clear();
      this.shown.conversation = state.conversation;
    }
    this.header.update(state);
    if (this.shown.status !== chat.status) this.banner.update(this.shown.status = chat.status);
    if (this.question.update(state)) this.asking = false;
    this.waiting.update(state, items);
    this.#updateContact(state, items);
    this.trouble.hidden = !items.some((item) => (item.frame.frame === "cancel" || item.frame.frame === "end") && item.state === "failed");
    this.#arrange();
    this.composer.update();
    this.log.update(state, items);
    // What had the keyboard is gone: it goes where the visitor can go on, and never out of the panel.
    if (document.hasFocus() && held?.closest("[hidden]")) this.focus();
  }

  /** Esc: leave the innermost thing. False when there was nothing to leave but the panel itself. */
  escape() {
    if (this.asking) this.#ask(false);
    else if (this.writing) this.#write(false);
    else return false;
    return true;
  }

  /** Where the keyboard goes when the panel opens. On touch screens the composer would pull up the keyboard: the title takes it. */
  focus() {
    if (!this.ended.node.hidden) this.ended.again.focus();
    else if (matchMedia("(pointer: fine)").matches && !this.composer.node.hidden) this.composer.focus();
    else this.header.title.focus();
  }

  /** One card at a time stands above the composer, the most pressing one; the others come back when it has been dealt with. */
  #arrange() {
    const { state } = this.chat;
    const closed = state.status === "closed";
    if (closed) this.asking = this.writing = false;
    const place = [
      [closed, this.ended], [this.asking, this.question], [this.writing, this.contact], [isWaiting(state), this.waiting], [state.offerContact, this.offer],
    ];
    const [, top] = place.find(([wanted]) => wanted) ?? [];
    for (const [, card] of place) card.node.hidden = card !== top;
    this.node.classList.toggle("with-form", top === this.contact);
    this.composer.show(Boolean(state.conversation) && !closed);
  }

  #ask(open) {
    this.asking = open;
    this.#arrange();
    if (open) this.question.no.focus();
    else this.header.end.focus();
  }

  #write(open) {
    this.writing = open;
    this.#arrange();
    if (open) this.contact.fields.name.focus();
    else this.composer.focus();
  }

  #updateContact(state, items) {
    const sent = items.filter((item) => item.frame.frame === "contact");
    this.contact.update({ pending: sent.some((item) => item.state !== "failed"), failed: sent.some((item) => item.state === "failed") });
    const left = state.items.filter((item) => item.name === "contact_left").length;
    // Our own details have arrived (or those given in another tab): the form has done its work.
    if (this.writing && this.shown.left !== undefined && left > this.shown.left) this.#write(false);
    this.shown.left = left;
  }
}
