// What the visitor did and the server has not yet confirmed: messages, cancel, end, contact. Kept in storage, so a reload or a
// crash of the browser loses nothing; sent again after every sync until acknowledged. The client id makes repeats harmless.
// One command is on its way at a time: a later one must not overtake one that the server puts off.

export const ACK_WITHIN_MS = 15000;
const RETRY_MS = [1000, 4000, 10000];

export class Outbox {
  /** send(frame) -> whether a line took it; onChange() after every change; onStuck() when no answer came in time. */
  constructor({ storage, key, send, onChange, onStuck, newId, timers = globalThis, now = () => Date.now() }) {
    Object.assign(this, { storage, key, send, onChange, onStuck, newId, timers, now });
    this.items = this.#load();
    this.waiting = null;
    this.retries = new Map();
    this.underway = null;
  }

  /** Queue a command frame (without client id) and send it when possible; `files` is what is known of those it names. */
  add(frame, files = []) {
    const item = { client_id: this.newId(), at: this.now(), state: "pending", frame, files };
    this.#save([...this.#load(), item]);
    this.#pump();
    return item.client_id;
  }

  /** After a sync: everything unconfirmed goes out again, in its order. */
  flush() {
    this.items = this.#load();
    this.underway = null;
    this.#pump();
  }

  /** The visitor pressed "try again" on an undelivered message. The id stays: a refused command was never stored. */
  retry(clientId) {
    this.#save(this.#load().map((item) => (item.client_id === clientId ? { ...item, state: "pending", reason: undefined } : item)));
    this.retries.delete(clientId);
    this.#pump();
  }

  /** Stored by the server as event `seq`. The item stays, as sent, until that event is seen here too. */
  ack(clientId, seq) {
    this.retries.delete(clientId);
    this.#save(this.#load().map((item) => (item.client_id === clientId ? { ...item, state: "sent", seq } : item)));
    this.#done(clientId);
  }

  /** The conversation is known up to `seq`, among it the events of these client ids: what they confirm may go. */
  settle(seq, clientIds) {
    const kept = this.#load().filter((item) => !clientIds.has(item.client_id) && !(item.state === "sent" && item.seq <= seq));
    if (kept.length === this.items.length) return;
    this.#save(kept);
    if (!kept.some((item) => item.client_id === this.underway)) this.underway = null;
    this.#rest();
    this.#pump();
  }

  drop(clientId) {
    this.#save(this.#load().filter((item) => item.client_id !== clientId));
    this.#done(clientId);
  }

  /** Not done. What may work later is tried a few times more, then shown as not delivered. `retry_after`: seconds. */
  refuse(clientId, { code, detail, retryable, retry_after: retryAfter = 0 }) {
    const tried = this.retries.get(clientId) ?? 0;
    if (retryable && tried < RETRY_MS.length) {
      this.retries.set(clientId, tried + 1);
      this.timers.setTimeout(() => {
        if (this.underway === clientId) this.underway = null;
        this.#pump();
      }, Math.max(RETRY_MS[tried], retryAfter * 1000));
      return;
    }
    this.#save(this.#load().map((item) => (item.client_id === clientId ? { ...item, state: "failed", reason: { code, detail } } : item)));
    this.#done(clientId);
  }

  /** Unconfirmed items of one kind of frame, oldest first. */
  of(kind) {
    return this.items.filter((item) => item.frame.frame === kind);
  }

  /** Another tab changed the shared list. */
  reload() {
    this.items = this.#load();
    this.onChange();
  }

  stop() {
    this.#stopWaiting();
  }

  #rest() {
    if (!this.items.some((item) => item.state === "pending")) this.#stopWaiting();
  }

  #done(clientId) {
    if (this.underway === clientId) this.underway = null;
    this.#rest();
    this.#pump();
  }

  #pump() {
    if (this.underway !== null) return;
    const item = this.items.find((one) => one.state === "pending");
    if (!item || !this.send({ ...item.frame, client_id: item.client_id })) return;
    this.underway = item.client_id;
    this.#watch();
  }

  #watch() {
    this.waiting ??= this.timers.setTimeout(() => {
      this.waiting = null;
      if (this.items.some((item) => item.state === "pending")) this.onStuck();
    }, ACK_WITHIN_MS);
  }

  #stopWaiting() {
    this.timers.clearTimeout(this.waiting);
    this.waiting = null;
  }

  #load() {
    try {
      const items = JSON.parse(this.storage.getItem(this.key) ?? "[]");
      return Array.isArray(items) ? items : [];
    } catch {
      return this.items ?? [];
    }
  }

  #save(items) {
    this.items = items;
    try {
      if (items.length) this.storage.setItem(this.key, JSON.stringify(items));
      else this.storage.removeItem(this.key);
    } catch {
      // Storage full or forbidden: the list lives in memory for as long as the page does.
    }
    this.onChange();
  }
}
