// What stands between log and composer besides the waiting card: the state of the line, the question before ending, the offer
// to leave details, and the end.

import { h } from "./dom.js";

const PATIENCE_MS = 1500;  // a line that is back within this time was never gone for the visitor

export class Banner {
  constructor({ texts, onRetry }) {
    Object.assign(this, { t: texts.t, onRetry, timer: null });
    this.words = h("span");
    this.button = h("button", { class: "link", type: "button", onclick: () => this.onRetry() });
    this.node = h("div", { class: "banner", role: "status", hidden: true }, this.words, this.button);
  }

  update(status) {
    clearTimeout(this.timer);
    if (status === "online" || status === "idle") {
      this.node.hidden = true;
      return;
    }
    if (this.node.hidden && status !== "final") this.timer = setTimeout(() => this.#show(status), status === "offline" ? 200 : PATIENCE_MS);
    else this.#show(status);
  }

  #show(status) {
    this.node.hidden = false;
    this.node.className = `banner banner-${status}`;
    this.words.textContent = this.t(`connection.${status}`);
    this.button.textContent = this.t(status === "final" ? "connection.reload" : "connection.retry");
    this.button.hidden = status === "connecting";
  }
}

export class EndQuestion {
  constructor({ texts, onEnd, onClose }) {
    Object.assign(this, { t: texts.t, shown: "" });
    this.title = h("p", { class: "card-title", id: "end-question" });
    this.note = h("p", { class: "card-note", id: "end-note" });
    this.yes = h("button", { class: "button danger", type: "button", onclick: onEnd });
    this.no = h("button", { class: "button", type: "button", onclick: onClose });
    this.node = h("div", { class: "card question", role: "alertdialog", "aria-labelledby": "end-question", "aria-describedby": "end-note", hidden: true },
      this.title, this.note, h("div", { class: "actions" }, this.yes, this.no));
  }

  /**
   * Ends what is going on: the talk with a person or the wait for one; else the whole conversation. It says which.
   * True when it has become another question: an answer to the old one must not fall on the new one.
   */
  update(state) {
    const { t } = this;
    const stage = state.handover?.state ?? "";
    const talking = stage === "connected" || stage === "transferring";
    const name = state.handover?.agent?.name || t("author.agent");
    const mark = talking ? `talk ${name}` : stage ? "wait" : "all";
    if (mark === this.shown) return false;
    this.shown = mark;
    this.title.textContent = talking ? t("end.question_agent", { name }) : t(stage ? "end.question_waiting" : "end.question");
    this.note.textContent = stage ? t("end.stays") : "";
    this.yes.textContent = t(talking ? "end.yes_agent" : stage ? "waiting.cancel" : "end.yes");
    this.no.textContent = t(stage && !talking ? "end.no_waiting" : "end.no");
    return true;
  }
}

export class ContactOffer {
  constructor({ texts, onOpen }) {
    this.node = h("div", { class: "card offer", hidden: true }, h("p", { class: "card-note" }, texts.t("contact.intro")),
      h("button", { class: "button", type: "button", onclick: onOpen }, texts.t("contact.open")));
  }
}

export class EndedCard {
  constructor({ texts, onAgain }) {
    const { t } = texts;
    this.again = h("button", { class: "button primary", type: "button", onclick: onAgain }, t("ended.again"));
    this.node = h("section", { class: "card ended", hidden: true },
      h("p", { class: "card-title" }, t("ended.title")), h("p", { class: "card-note" }, t("ended.hint")), this.again);
  }
}
