// The line to the page that shows us: postMessage with exact origins both ways. The server wrote the allowed origin into the page.

import { MapStorage } from "./browser.js";

const STORAGE_WITHIN_MS = 1000;

export class HostBridge {
  /** onOpen(still): the panel stands open after a reload, nobody pressed anything. onClose(), onPage(page), onStored(key, value): another tab of the host page changed what it keeps for us. */
  constructor({ origin, onOpen, onClose, onPage, onStored }) {
    this.origin = origin;
    this.window = window.parent === window ? null : window.parent;
    addEventListener("message", ({ source, origin: from, data }) => {
      if (source !== this.window || from !== origin || data?.warmline !== 1) return;
      if (data.page && typeof data.page === "object") onPage(pageOf(data.page));
      if (data.type === "open") onOpen(data.still === true);
      else if (data.type === "close") onClose();
      else if (data.type === "kept") this.kept?.(data.values ?? {});
      else if (data.type === "stored") {
        if (data.value === null) this.storage?.values.delete(data.key);
        else this.storage?.values.set(data.key, data.value);
        onStored(data.key, data.value);
      }
    });
  }

  tell(type, more = {}) {
    if (this.window && this.origin) this.window.postMessage({ warmline: 1, type, ...more }, this.origin);
  }

  /** Storage the host page keeps for us where the browser grants this frame none; without a host that answers, plain memory. */
  async hostStorage() {
    const values = await new Promise((done) => {
      this.kept = done;
      this.tell("kept");
      setTimeout(done, this.window ? STORAGE_WITHIN_MS : 0, {});
    });
    this.storage = new MapStorage(values, (key, value) => this.tell("keep", { key, value }));
    return this.storage;
  }
}

const FIELDS = ["userAgent", "screenRes", "language", "url", "referrer", "title"];

/** Only the documented fields, as short text: the host page is not ours. */
export function pageOf(given) {
  return Object.fromEntries(FIELDS.map((name) => [name, String(given[name] ?? "").slice(0, 2000)]));
}
