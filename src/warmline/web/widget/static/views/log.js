// The messages: one list item per row of the timeline. Nodes live as long as their key, so that a screen reader hears every
// message once and an own message does not jump when the server confirms it.

import { openButtons } from "../models/conversation.js";
import { isWebAddress, pieces } from "../models/linkify.js";
import { timeline } from "../models/timeline.js";
import { avatar, h, icon, reconcile } from "./dom.js";
import { fileViews } from "./tray.js";

const NEAR_PX = 80;
const LEFT = { idle: "line.idle", desk_lost: "line.lost", visitor_left: "line.left_by_you" };

export class Log {
  constructor({ texts, links, onReply, onRetry, onSeen, hasContact }) {
    Object.assign(this, { texts, t: texts.t, links, onReply, onRetry, onSeen, hasContact, views: new Map() });
    this.list = h("ol", { class: "messages" });
    this.live = h("div", { class: "live", role: "log", "aria-live": "polite", "aria-relevant": "additions", "aria-label": this.t("log.label") }, this.list);
    this.typing = h("div", { class: "typing", hidden: true }, h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")));
    this.typingName = h("span", { class: "typing-name" });
    this.typing.append(this.typingName);
    this.newer = h("button", { class: "newer", type: "button", hidden: true, onclick: () => this.toEnd(true) }, icon("down"), this.t("log.newer"));
    this.scroller = h("div", { class: "scroller", tabindex: "0" }, this.live, this.typing);
    this.node = h("div", { class: "log" }, this.scroller, this.newer);
    this.atEnd = true;
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    new ResizeObserver(() => { if (this.atEnd) this.toEnd(); }).observe(this.scroller);
    // A picture takes its room only when it is there.
    this.list.addEventListener("load", () => { if (this.atEnd) this.toEnd(); }, true);
  }

  update(state, outbox) {
    const rows = timeline(state, outbox);
    const before = this.last;
    const lastRow = rows.at(-1);
    this.last = lastRow?.key;
    this.buttons = openButtons(state, rows.some((row) => row.delivery === "sending"));
    reconcile(this.list, this.views, rows, (row) => this.#build(row));
    if (state.synced && this.live.getAttribute("aria-live") === "off") setTimeout(() => this.live.setAttribute("aria-live", "polite"), 500);
    this.#showTyping(state);
    const own = lastRow?.author?.kind === "visitor";
    if (this.atEnd || (own && before !== this.last)) this.toEnd();
    else if (before !== this.last && before !== undefined) this.newer.hidden = false;
  }

  /** The first filling is not read out: it is what the visitor has had before a reload. */
  hush() {
    this.live.setAttribute("aria-live", "off");
  }

  toEnd(smooth = false) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.scroller.scrollTo({ top: this.scroller.scrollHeight, behavior: smooth && !calm ? "smooth" : "instant" });
    this.atEnd = true;
    this.newer.hidden = true;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.scroller;
    this.atEnd = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    if (this.atEnd) {
      this.newer.hidden = true;
      this.onSeen();
    }
  }

  #showTyping(state) {
    const who = state.typing.agent ? "agent" : state.typing.bot ? "bot" : null;
    this.typing.hidden = !who;
    if (who) this.typingName.textContent = this.t(`typing.${who}`, { name: state.handover?.agent?.name || this.t("author.agent") });
  }

  #build(row) {
    if (row.kind === "message") return this.#message(row);
    if (row.kind === "day") return plain(h("li", { class: "day" }, h("span", {}, this.texts.day(row.at))));
    if (row.kind === "earlier") return plain(h("li", { class: "line" }, this.t("log.earlier")));
    return plain(h("li", { class: `line line-${row.name}` }, h("span", {}, this.#lineText(row))));
  }

  #lineText(row) {
    const name = row.agent?.name || this.t("author.agent");
    if (row.name === "rung_failed" || row.name === "failed") return row.text || this.t(`line.${row.name}`);
    if (row.name === "cancelled") return this.t(row.by === "visitor" || !row.by ? "line.cancelled" : "line.cancelled_by_team");
    if (row.name === "left") return this.t(LEFT[row.reason] ?? "line.left", { name });
    if (row.name === "closed") return this.t(row.reason === "idle" ? "line.closed_idle" : "line.closed");
    return this.t(`line.${row.name}`, { name });
  }

  #message(row) {
    const own = row.author.kind === "visitor";
    const name = own ? this.t("author.you") : row.author.name || this.t(row.author.kind === "agent" ? "author.agent" : "author.bot");
    // The hidden name has a direction of its own: else it, not the text, would decide which way the bubble runs.
    const says = h("span", { class: "hidden", dir: "auto" }, this.t("author.says", { name }), " ");
    const files = fileViews(this.texts, row, this.links);
    const bubble = row.text || !files.length ? h("div", { class: "bubble", dir: "auto" }, says, ...this.#linked(row.text)) : says;
    const head = own ? null : h("span", { class: "speaker", "aria-hidden": "true" }, name);
    const meta = h("div", { class: "meta" });
    const side = own ? null : avatar({ ...row.author, name });
    const node = h("li", {}, side, h("div", { class: "stack" }, head, bubble, ...files.map((file) => file.node), meta));
    let buttons = null, shown = "";
    const update = (now) => {
      node.className = `message ${own ? "own" : `from-${row.author.kind}`}${now.first ? " first" : ""}${now.last ? " last" : ""}${now.delivery ? ` is-${now.delivery}` : ""}`;
      const mark = `${now.delivery}|${now.last}|${now.at}`;
      if (mark !== shown) {
        shown = mark;
        meta.replaceChildren(...this.#meta(now));
      }
      files.forEach((file, index) => file.update(now.attachments[index]));
      const links = now.buttons.some((button) => button.kind === "link");
      const open = this.buttons?.key === now.key;
      const wanted = open ? "open" : links ? "links" : "none";
      if (buttons?.dataset.shown !== wanted && (buttons || wanted !== "none")) {
        buttons?.remove();
        buttons = wanted === "none" ? null : this.#buttons(now, open, wanted);
        if (buttons) node.lastChild.append(buttons);
      }
    };
    return { node, update };
  }

  #linked(text) {
    return pieces(text).map((piece) => (piece.url
      ? h("a", { href: piece.url, target: "_blank", rel: "noopener noreferrer nofollow" }, piece.text, h("span", { class: "hidden" }, ` (${this.t("link.new_tab")})`))
      : piece.text));
  }

  #meta(row) {
    const time = h("time", { datetime: row.at }, this.texts.time(row.at));
    if (!row.delivery) return row.last ? [time] : [];
    const failed = row.delivery === "failed" || row.delivery === "parked";
    const word = h("span", { class: failed ? "trouble" : "" }, this.t(row.reason?.code === "too_large" ? "composer.too_long" : `delivery.${row.delivery}`));
    const retry = row.delivery === "failed" ? h("button", { class: "link", type: "button", onclick: () => this.onRetry(row.clientId) }, this.t("delivery.retry")) : null;
    return row.delivery === "sending" ? [word] : failed ? [word, ...(retry ? [" ", retry] : [])] : [time, h("span", { "aria-hidden": "true" }, "·"), word];
  }

  #buttons(row, open, wanted) {
    const box = h("div", { class: "buttons", role: "group", "aria-label": this.t("buttons.label"), "data-shown": wanted });
    for (const button of row.buttons) {
      if (button.kind === "link" && isWebAddress(button.url ?? "")) {
        box.append(h("a", { class: "chip", href: button.url, target: "_blank", rel: "noopener noreferrer" }, button.text, icon("out"), h("span", { class: "hidden" }, ` (${this.t("link.new_tab")})`)));
      } else if (open && button.kind !== "link") {
        box.append(h("button", { class: "chip", type: "button", dir: "auto", onclick: () => this.onReply(button.text, row.id) }, button.text));
      }
    }
    return box;
  }
}

const plain = (node) => ({ node, update() {} });
