// Who the visitor is talking with, and the two ways out: end the conversation, close the panel.

import { isConnected, isWaiting } from "../models/conversation.js";
import { avatar, h, icon } from "./dom.js";

export class Header {
  constructor({ texts, config, onClose, onEnd }) {
    const { t } = texts;
    Object.assign(this, { t, config, shown: "" });
    this.face = h("span", { class: "face" });
    this.title = h("h1", { class: "title", tabindex: "-1" });
    this.status = h("p", { class: "status" });
    this.end = h("button", { class: "quiet", type: "button", "aria-label": t("header.end"), title: t("header.end"), onclick: onEnd, hidden: true }, icon("leave"));
    this.close = h("button", { class: "quiet", type: "button", "aria-label": t("header.close"), title: t("header.close"), onclick: onClose }, icon("close"));
    this.node = h("header", { class: "header" }, this.face, h("div", { class: "who" }, this.title, this.status), this.end, this.close);
  }

  update(state) {
    const { t, config } = this;
    const agent = isConnected(state) ? state.handover.agent ?? {} : null;
    const name = agent ? agent.name || t("author.agent") : config.title;
    const status = state.status === "closed" ? t("header.ended_status") : agent ? t("header.agent_status")
      : isWaiting(state) ? t("header.waiting_status") : config.subtitle || t("header.bot_status");
    this.end.hidden = state.status === "closed" || !state.synced;
    this.node.classList.toggle("with-agent", Boolean(agent));
    const mark = JSON.stringify([name, status, agent]);
    if (mark === this.shown) return;
    this.shown = mark;
    this.title.textContent = name;
    this.status.textContent = status;
    this.face.replaceChildren(avatar(agent ? { kind: "agent", ...agent, name } : { kind: "bot" }));
  }
}
