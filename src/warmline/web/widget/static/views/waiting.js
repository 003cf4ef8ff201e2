// The card that stands above the composer while the visitor waits for a person. It tells what the desk told, and no more:
// without a position it says "waiting", without an estimate it names no minutes.

import { isWaiting } from "../models/conversation.js";
import { h } from "./dom.js";

export class WaitingCard {
  constructor({ texts, onCancel, onContact, onKeep }) {
    Object.assign(this, { texts, t: texts.t, shown: "" });
    this.title = h("p", { class: "card-title" });
    this.detail = h("p", { class: "card-detail" });
    this.note = h("p", { class: "card-note" });
    this.cancel = h("button", { class: "button", type: "button", onclick: onCancel }, this.t("waiting.cancel"));
    this.keep = h("button", { class: "button primary", type: "button", onclick: () => { this.kept = this.epoch; onKeep(); } }, this.t("end.no_waiting"));
    this.contact = h("button", { class: "link", type: "button", onclick: onContact }, this.t("waiting.contact"));
    this.node = h("section", { class: "card waiting", hidden: true },
      h("div", { class: "row" }, h("span", { class: "breath", "aria-hidden": "true" }, h("i"), h("i")), h("div", { role: "status" }, this.title, this.detail)),
      this.note, h("div", { class: "actions" }, this.keep, this.cancel, this.contact));
  }

  update(state, outbox) {
    const { t, texts } = this;
    if (!isWaiting(state)) return;
    const { state: stage, position, waitMinutes, text, since, asked } = state.handover;
    const title = stage === "transferring" ? t("waiting.transferring") : position ? t("waiting.position", { count: position })
      : stage === "queued" ? t("waiting.queued") : t("waiting.looking");
    const wait = waitMinutes === null ? null : waitMinutes < 1 ? t("waiting.soon") : t("waiting.minutes", { count: Math.ceil(waitMinutes) });
    const detail = [wait, since && t("waiting.since", { time: texts.time(since) })].filter(Boolean).join(" · ");
    // A transfer cannot be called off, only ended: the visitor is already being looked after.
    this.cancel.hidden = stage === "transferring";
    this.contact.hidden = stage === "transferring" || state.items.some((item) => item.name === "contact_left");
    // Not disabled: that would throw the keyboard out of the button. A second press changes nothing.
    this.cancel.setAttribute("aria-disabled", String(outbox.some((item) => item.frame.frame === "cancel" && item.state !== "failed")));
    // A desk was given up and the next one is tried, which the log has just told: the visitor is asked once, the buttons are the answers.
    const asking = asked && this.kept !== state.ownerEpoch;
    this.epoch = state.ownerEpoch;
    this.keep.hidden = !asking;
    const note = asking ? t("waiting.ask") : asked ? t("waiting.hint") : text || t("waiting.hint");
    const mark = [title, detail, note].join("|");
    if (mark === this.shown) return;
    this.shown = mark;
    this.title.textContent = title;
    this.detail.textContent = detail;
    this.note.textContent = note;
  }
}
