// The files of the message that is being written: a chip for each, with its picture, how far it is, and the way out again.

import { isPicture } from "../models/files.js";
import { h, icon, reconcile } from "./dom.js";

export class Tray {
  constructor({ texts, files }) {
    Object.assign(this, { texts, t: texts.t, files, views: new Map(), told: new Map() });
    this.list = h("ul", { class: "tray", hidden: true, "aria-label": this.t("files.label") });
    this.said = h("p", { class: "hidden", role: "status" });
    this.picker = h("input", { type: "file", multiple: true, hidden: true, onchange: () => this.#picked() });
    this.button = h("button", { class: "quiet clip", type: "button", "aria-label": this.t("files.attach"), title: this.t("files.attach"), onclick: () => this.picker.click() }, icon("clip"));
  }

  update() {
    const { items } = this.files;
    this.list.hidden = !items.length;
    reconcile(this.list, this.views, items, (item) => this.#chip(item));
    for (const item of items) this.#tell(item);
    for (const key of [...this.told.keys()]) if (!items.some((item) => item.key === key)) this.told.delete(key);
  }

  #picked() {
    this.files.add(this.picker.files);
    this.picker.value = "";
  }

  #tell(item) {
    if (this.told.get(item.key) === item.state) return;
    this.told.set(item.key, item.state);
    this.views.get(item.key).node.scrollIntoView({ block: "nearest" });
    this.said.textContent = item.state === "failed" ? this.#why(item) : this.t(item.state === "ready" ? "files.ready" : "files.uploading", { name: item.name });
  }

  #why(item) {
    return this.t(`files.${item.reason}`, { name: item.name, size: this.texts.size(this.files.limit) });
  }

  #chip(first) {
    const face = h("span", { class: "thumb" }, first.picture ? h("img", { src: first.picture, alt: "" }) : icon("file"));
    const name = h("span", { class: "file-name", dir: "auto" }, first.name);
    const note = h("span", { class: "file-note" });
    const bar = h("progress", { max: 1, value: 0, "aria-label": this.t("files.uploading", { name: first.name }) });
    const again = h("button", { class: "link", type: "button", onclick: () => this.files.retry(first.key) }, this.t("delivery.retry"));
    const out = h("button", { class: "quiet out", type: "button", "aria-label": this.t("files.remove", { name: first.name }), title: this.t("files.remove", { name: first.name }), onclick: () => this.#remove(first.key) }, icon("cross"));
    const node = h("li", {}, face, h("span", { class: "file-text" }, name, note, bar), again, out);
    const update = (item) => {
      const failed = item.state === "failed";
      node.className = `file-chip is-${item.state}`;
      bar.hidden = item.state !== "uploading";
      bar.value = item.part;
      again.hidden = !(failed && item.reason === "failed");
      name.hidden = failed;
      const text = failed ? this.#why(item) : item.state === "ready" ? this.texts.size(item.size) : "";
      if (note.textContent !== text) note.textContent = text;
    };
    return { node, update };
  }

  #remove(key) {
    const next = this.files.items.findIndex((item) => item.key === key);
    this.files.remove(key);
    this.update();
    const chips = this.list.querySelectorAll(".out");
    (chips[Math.min(next, chips.length - 1)] ?? this.button).focus();
  }
}

/** The files of a message in the log. `fresh(id)` gives a link that works again, `preview(id)` the visitor's own picture. */
export function fileViews(texts, row, { href, fresh, preview }) {
  return row.attachments.map((one) => (isPicture(one.media_type) ? picture(texts, one, href, fresh, preview) : card(texts, one, href, fresh)));
}

function picture(texts, one, href, fresh, preview) {
  const own = preview(one.id);
  const image = h("img", { src: own ?? (one.url && href(one.url)), alt: one.name, loading: "lazy", decoding: "async" });
  const link = h("a", { class: "picture", href: one.url && href(one.url), target: "_blank", rel: "noopener", "aria-label": `${texts.t("files.picture", { name: one.name })} (${texts.t("link.new_tab")})` }, image);
  image.addEventListener("error", () => fresh(one.id).then((url) => { image.src = href(url); }).catch(() => link.classList.add("broken")), { once: true });
  return guarded(link, one, href, fresh);
}

function card(texts, one, href, fresh) {
  const link = h("a", { class: "file-card", href: one.url && href(one.url), download: one.name }, icon("file"),
    h("span", { class: "file-text" }, h("span", { class: "file-name", dir: "auto" }, one.name), h("span", { class: "file-note" }, texts.size(one.size))),
    h("span", { class: "hidden" }, `(${texts.t("files.download")})`));
  return guarded(link, one, href, fresh);
}

/** A page stays open longer than a link works: an old one is exchanged for a fresh one when it is pressed. */
function guarded(node, one, href, fresh) {
  node.addEventListener("click", async (event) => {
    if (node.dataset.fresh || fresh.isFresh(one.url)) return;
    event.preventDefault();
    node.href = href(await fresh(one.id));
    node.dataset.fresh = "1";
    node.click();
    delete node.dataset.fresh;
  });
  return { node, update(now) { if (now.url && now.url !== one.url) { one = now; node.href = href(now.url); } } };
}
