// The visitor's session: a bearer token in this frame's own storage (no cookies), the widget's configuration, and the current
// conversation. Several tabs share it, so finding or making a conversation happens under one lock.

export class RequestFailed extends Error {
  constructor(status, detail) {
    super(detail || `HTTP ${status}`);
    this.status = status;
  }
}

export class Session {
  constructor({ base, widget, storage, locks, fetch = globalThis.fetch.bind(globalThis) }) {
    Object.assign(this, { base, widget, storage, locks, fetch });
    this.token = null;
    this.config = null;
    this.conversation = null;
    this.incarnation = null;
  }

  key = (name) => `warmline:${this.widget}:${name}`;

  /** Open or renew the session; a token the server does not know any more is replaced by a new one. */
  async start() {
    await this.#locked(() => this.#renew());
  }

  /** The open conversation, or a new one begun from `page`. In a second tab the first tab's conversation is found again. */
  async begin(page, clientId, { afresh = null } = {}) {
    return this.#locked(async () => {
      await this.#renew();
      if (this.conversation && this.conversation !== afresh) return { conversation: this.conversation, begun: false };
      const answer = await this.#post("/widget/conversations", { widget_id: this.widget, page, client_id: clientId });
      this.conversation = answer.conversation;
      this.incarnation = answer.incarnation;
      this.#keep("conversation", answer.conversation);
      return { conversation: answer.conversation, begun: true };
    });
  }

  /** Another tab has opened the session or begun a conversation: use the token it left in storage. */
  adopt() {
    this.token = this.#kept("token") ?? this.token;
  }

  forget() {
    this.token = null;
    this.conversation = null;
    for (const name of ["token", "conversation"]) {
      try { this.storage.removeItem(this.key(name)); } catch { /* storage forbidden: nothing was kept */ }
    }
  }

  async #renew() {
    const answer = await this.#post("/widget/session", { widget_id: this.widget, token: this.#kept("token") ?? this.token });
    this.token = answer.token;
    this.config = answer.config;
    this.conversation = answer.conversation ?? null;
    this.incarnation = answer.incarnation;
    this.#keep("token", answer.token);
  }

  /** A link to a file that works for another hour. */
  async fileLink(conversation, id) {
    return (await this.#ask(`/widget/files/${id}?conversation=${conversation}`, { headers: { authorization: `Bearer ${this.token}` } })).url;
  }

  #post(path, body) {
    const headers = { "content-type": "application/json" };
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    return this.#ask(path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  async #ask(path, request) {
    const answer = await this.fetch(this.base + path, request);
    const data = await answer.json().catch(() => null);
    if (!answer.ok || !data) throw new RequestFailed(answer.status, data?.detail);
    return data;
  }

  async #locked(fn) {
    return this.locks ? this.locks.request(this.key("lock"), fn) : fn();
  }

  #kept(name) {
    try { return this.storage.getItem(this.key(name)); } catch { return null; }
  }

  #keep(name, value) {
    try { this.storage.setItem(this.key(name), value); } catch { /* this page only, then */ }
  }
}
