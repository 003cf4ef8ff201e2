// The line to the page that shows us: postMessage with exact origins both ways. The server wrote the allowed origin into the page.

export class HostBridge {
  constructor({ origin, onOpen, onClose, onPage }) {
    this.origin = origin;
    this.window = window.parent === window ? null : window.parent;
    addEventListener("message", (event) => {
      if (event.source !== this.window || event.origin !== origin || event.data?.warmline !== 1) return;
      if (event.data.page && typeof event.data.page === "object") onPage(pageOf(event.data.page));
      if (event.data.type === "open") onOpen();
      if (event.data.type === "close") onClose();
    });
  }

  tell(type, more = {}) {
    if (this.window && this.origin) this.window.postMessage({ warmline: 1, type, ...more }, this.origin);
  }
}

const FIELDS = ["userAgent", "screenRes", "language", "url", "referrer", "title"];

/** Only the documented fields, as short text: the host page is not ours. */
export function pageOf(given) {
  return Object.fromEntries(FIELDS.map((name) => [name, String(given[name] ?? "").slice(0, 2000)]));
}
