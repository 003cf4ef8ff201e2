// Keeps one live line to the server: WebSocket first, SSE + POST when sockets do not get through, and back to the WebSocket when
// one does: it is tried beside the living line and takes over with its sync. The line's own frames (ping, drain, the first sync)
// stay here, all others are handed on; nothing is known here about the conversation itself.

import { Backoff, STABLE_MS } from "./backoff.js";
import { CODE } from "./transports.js";

export const SYNC_WITHIN_MS = 10000;   // a proxy may accept the upgrade and then swallow every byte
export const SILENT_AFTER_MS = 60000;  // two missed pings of 25 s and some slack
export const CATCH_UP_MS = 1500;       // how long a seq known to exist may be on its way before we ask again
export const TRIAL_MS = 20000;         // on the second transport the first is tried again after about so long,
export const TRIAL_CAP_MS = 600000;    // twice as long each time, up to this,
const TRIAL_APART_MS = 30000;          // and no oftener than this when the network or the page comes back
export const REMEMBERED_MS = 1800000;  // how long the next page in this tab begins with the transport that worked
const SWITCH_AFTER = 2;                // failed attempts before the other transport gets its turn

const isFinal = (code) => code >= 4500 && code < 4600;

export class Connection {
  /**
   * transports: in order of preference. hello(): {token, conversation, incarnation, since} at this moment.
   * onFrame(frame) gets sync, event, ack, refused, typing, read. onStatus(status, code) gets
   * "connecting" | "online" | "reconnecting" | "offline" | "final". memory keeps {at, tries} of the last trial over a reload.
   */
  constructor({ base, transports, hello, onFrame, onStatus, random = Math.random, timers = globalThis, now = () => Date.now(), isOnline = () => true, memory = { get: () => null, set() {} } }) {
    Object.assign(this, { base, transports, hello, onFrame, onStatus, timers, now, isOnline, memory });
    this.backoff = new Backoff(random);
    this.random = random;
    this.status = "idle";
    this.line = null;
    this.trial = null;
    this.synced = false;
    this.failures = 0;
    this.tried = memory.get();
    if (this.tried && !(now() - this.tried.at < REMEMBERED_MS)) this.tried = null;
    this.choice = this.tried && transports.length > 1 ? 1 : 0;
    this.heardAt = 0;
    this.timer = {};
  }

  start() {
    if (this.status === "idle" || this.status === "final") {
      this.#tell("connecting");
      this.#open();
    }
  }

  stop() {
    this.#clearAll();
    this.#dropTrial();
    const line = this.line;
    this.line = null;
    this.synced = false;
    this.status = "idle";
    line?.close();
  }

  /** Hand a frame to the line; false when there is none that is in sync (the caller keeps what must not be lost). */
  send(frame) {
    if (!this.synced) return false;
    this.line.send(frame);
    return true;
  }

  /** The browser says the network is back, or the visitor pressed "try again". */
  retryNow() {
    if (this.status === "idle" || this.status === "final") return;
    if (this.line) {
      // A line that lived before the network went may look alive for long and be dead: a new one is sure.
      if (this.status === "offline" && this.synced) this.reset();
      else if (this.tried && this.now() - this.tried.at > TRIAL_APART_MS) this.#try();
      return;
    }
    this.#clear("retry");
    this.#open();
  }

  /** The browser says the network is gone. It can be wrong: the line stays, and whatever arrives on it says that all is well. */
  networkLost() {
    if (this.status !== "idle" && this.status !== "final") this.#tell("offline");
  }

  /** The page became visible: timers may have been frozen, so check at once whether the line fell silent. */
  wake() {
    if (this.line && this.now() - this.heardAt > SILENT_AFTER_MS) this.reset(CODE.heartbeat);
    else this.retryNow();
  }

  /** The server knows events up to `top`. If ours do not follow soon, something was lost silently: sync again. */
  expect(top) {
    if (!this.synced || this.hello().since >= top) return;
    this.#later("catchUp", CATCH_UP_MS, () => { if (this.hello().since < top) this.reset(); });
  }

  /** Drop the line and open a new one; the next sync closes whatever gap there was. */
  reset(code = CODE.lost) {
    this.line?.close(code);
  }

  #open() {
    if (!this.isOnline()) {
      // Try all the same: navigator.onLine is only a hint. But say what the visitor most likely sees.
      this.#tell("offline");
    }
    const transport = this.transports[this.choice];
    this.synced = false;
    this.heardAt = this.now();
    let line = null;
    const current = () => line === null || this.line === line;
    this.#later("sync", SYNC_WITHIN_MS, () => this.reset());
    line = transport.open({
      base: this.base,
      hello: this.hello(),
      onFrame: (frame) => { if (current()) this.#receive(frame); },
      onClose: (code) => { if (current()) this.#lost(code); },
    });
    this.line = line;
  }

  #receive(frame) {
    this.heardAt = this.now();
    this.#watchSilence();
    if (this.synced) this.#tell("online");
    if (frame.frame === "ping") {
      this.line.send({ frame: "pong" });
      this.expect(frame.seq);
    } else if (frame.frame === "drain") {
      // Leave at a moment of our own within the time given: the others leave too.
      this.#later("drain", Math.floor(this.random() * Math.max(0, frame.within_ms ?? 0)), () => this.reset(4002));
    } else {
      if (frame.frame === "sync") this.#inSync();
      this.onFrame(frame);
    }
  }

  #inSync() {
    this.#clear("sync");
    this.synced = true;
    this.failures = 0;
    this.#later("stable", STABLE_MS, () => this.backoff.reset());
    if (this.choice > 0) {
      this.#remember(this.tried ?? { at: this.now(), tries: 0 });
      this.#planTrial();
    } else if (this.tried) this.#remember(null);
    this.#tell("online");
  }

  #remember(tried) {
    this.tried = tried;
    this.memory.set(tried);
  }

  #planTrial() {
    const pause = Math.min(TRIAL_CAP_MS, TRIAL_MS * 2 ** this.tried.tries) * (0.75 + this.random() / 2);
    this.#later("trial", Math.max(this.random() * 2000, this.tried.at + pause - this.now()), () => this.#try());
  }

  /** Try the preferred transport beside the line that works. It takes over with its sync; until then nothing changes. */
  #try() {
    if (this.trial || !this.synced || this.choice === 0) return;
    this.#remember({ at: this.now(), tries: this.tried.tries + 1 });
    const line = this.transports[0].open({
      base: this.base,
      hello: this.hello(),
      onFrame: (frame) => {
        if (this.line === line) this.#receive(frame);
        else if (this.trial === line && frame.frame === "sync") this.#takeOver(frame);
      },
      onClose: (code) => {
        if (this.line === line) return this.#lost(code);
        if (this.trial !== line) return;
        this.#clear("trialSync");
        this.trial = null;
        if (this.synced) this.#planTrial();
      },
    });
    this.trial = line;
    this.#later("trialSync", SYNC_WITHIN_MS, () => line.close());
  }

  #takeOver(sync) {
    const old = this.line;
    this.#clearAll();
    this.line = this.trial;
    this.trial = null;
    this.choice = 0;
    old.close();
    this.#receive(sync);
  }

  #dropTrial() {
    const { trial } = this;
    this.trial = null;
    trial?.close();
  }

  #lost(code) {
    const wasSynced = this.synced;
    this.#clearAll();
    this.#dropTrial();
    this.line = null;
    this.synced = false;
    if (this.status === "idle") return;
    if (isFinal(code)) return this.#tell("final", code);
    if (!wasSynced) {
      this.failures += 1;
      if (this.failures % SWITCH_AFTER === 0) this.choice = (this.choice + 1) % this.transports.length;
    }
    this.#tell(this.isOnline() ? "reconnecting" : "offline");
    this.#later("retry", this.backoff.next(), () => this.#open());
  }

  #watchSilence() {
    this.#later("silence", SILENT_AFTER_MS, () => this.reset(CODE.heartbeat));
  }

  #tell(status, code) {
    if (this.status === status && code === undefined) return;
    this.status = status;
    this.onStatus(status, code);
  }

  #later(name, ms, fn) {
    this.#clear(name);
    this.timer[name] = this.timers.setTimeout(() => { delete this.timer[name]; fn(); }, ms);
  }

  #clear(name) {
    if (name in this.timer) {
      this.timers.clearTimeout(this.timer[name]);
      delete this.timer[name];
    }
  }

  #clearAll() {
    Object.keys(this.timer).forEach((name) => this.#clear(name));
  }
}
