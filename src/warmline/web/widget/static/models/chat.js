// The visitor's side of one widget, without a page: which conversation is followed, what is known of it, what is still to be
// sent, and how the line is. Views read `state`, `outbox.items` and `status` after every onChange().

import { Connection } from "./connection.js";
import { applyEvent, applySync, emptyState, isConnected, knownClientIds, lastForeignSeq } from "./conversation.js";
import { Outbox } from "./outbox.js";
import { CODE } from "./transports.js";
import { SHOWN_MS, TypingSignal } from "./typing.js";

export class Chat {
  /** onChange(); onEvent(name, detail) for "conversation-started" and "message". */
  constructor({ base, session, storage, transports, newId, onChange, onEvent, isOnline, memory, timers = globalThis, now = () => Date.now() }) {
    Object.assign(this, { session, storage, newId, onChange, onEvent, timers, now });
    this.state = emptyState();
    this.status = "idle";
    this.outbox = null;
    this.renewed = false;
    this.fade = {};
    this.line = new Connection({
      base, transports, timers, now, isOnline, memory,
      hello: () => ({ token: session.token, conversation: this.state.conversation, incarnation: this.state.incarnation, since: this.state.seq }),
      onFrame: (frame) => this.#receive(frame),
      onStatus: (status, code) => this.#lineIs(status, code),
    });
    this.signal = new TypingSignal({ timers, now, tell: (on) => this.line.send({ frame: "typing", on }) });
  }

  get items() {
    return this.outbox?.items ?? [];
  }

  /** Follow a conversation (null: none) from its beginning; whatever was still unsent there is sent. */
  enter(conversation) {
    if (conversation === this.state.conversation) return;
    this.line.stop();
    this.outbox?.stop();
    this.state = emptyState(conversation);
    this.status = "idle";
    this.outbox = conversation && new Outbox({
      storage: this.storage, key: this.session.key(`outbox:${conversation}`), newId: this.newId, timers: this.timers, now: this.now,
      send: (frame) => this.line.send(frame), onChange: () => this.onChange(), onStuck: () => this.line.reset(),
    });
    if (conversation) this.line.start();
    this.onChange();
  }

  /** Find or begin the conversation when the visitor opens the chat; `afresh` after one has ended. Throws when unreachable. */
  async begin(page, { afresh = false } = {}) {
    this.beginning ??= this.newId();  // kept over failed attempts: a lost answer does not make a second conversation
    const { conversation, begun } = await this.session.begin(page, this.beginning, { afresh: afresh ? this.state.conversation : null });
    this.beginning = null;
    this.enter(conversation);
    if (begun) this.onEvent("conversation-started", { conversation });
  }

  say(text, replyTo, files = []) {
    this.signal.stop();
    const frame = { frame: "message", text };
    if (replyTo) frame.reply_to = replyTo;
    if (files.length) frame.attachments = files.map((file) => file.id);
    this.outbox.add(frame, files);
  }

  cancelWaiting() {
    this.#command({ frame: "cancel" });
  }

  end() {
    this.#command({ frame: "end", owner_epoch: this.state.ownerEpoch });
  }

  leaveContact(values) {
    this.#command({ frame: "contact", ...values });
  }

  typed() {
    // Only a person cares; the bot answers what was sent.
    if (isConnected(this.state)) this.signal.input();
  }

  /** Everything in view has been seen. Marks only move on, and the other tabs of this browser hear of it. */
  markRead() {
    const seq = lastForeignSeq(this.state);
    if (!this.state.synced || seq <= this.state.reads.visitor) return;
    this.#readTo(seq);
    this.line.send({ frame: "read", seq });
    try { this.storage.setItem(this.session.key("read"), JSON.stringify([this.state.conversation, seq])); } catch { /* other tabs learn it at their next sync */ }
    this.onChange();
  }

  /** Another tab of this browser changed what we share. */
  heard(key, value) {
    if (key === this.session.key("read") && value) {
      const [conversation, seq] = JSON.parse(value);
      if (conversation === this.state.conversation && seq > this.state.reads.visitor) { this.#readTo(seq); this.onChange(); }
    } else if (key === this.session.key("conversation") && value && (!this.state.conversation || this.state.status === "closed")) {
      this.session.conversation = value;
      this.session.adopt();
      this.enter(value);
    } else if (this.outbox && key === this.outbox.key) {
      this.outbox.reload();
    }
  }

  #readTo(seq) {
    this.state = { ...this.state, reads: { ...this.state.reads, visitor: seq } };
  }

  #command(frame) {
    // A second press while the first is on its way says nothing new; a refused one makes room for the next.
    this.outbox.of(frame.frame).filter((item) => item.state === "failed").forEach((item) => this.outbox.drop(item.client_id));
    if (!this.outbox.of(frame.frame).length) this.outbox.add(frame);
  }

  #receive(frame) {
    if (frame.conversation && frame.conversation !== this.state.conversation) return;
    if (frame.frame === "sync") this.#sync(frame);
    else if (frame.frame === "event") this.#event(frame.event);
    else if (frame.frame === "ack") this.#ack(frame);
    else if (frame.frame === "refused" && frame.client_id) this.outbox.refuse(frame.client_id, frame);
    else if (frame.frame === "typing") this.#typing(frame.who, frame.on);
    else if (frame.frame === "read" && frame.by === "agent" && frame.seq > this.state.reads.agent) {
      this.state = { ...this.state, reads: { ...this.state.reads, agent: frame.seq } };
    }
    this.onChange();
  }

  #sync(frame) {
    const { state, gap } = applySync(this.state, frame);
    this.state = state;
    if (gap) return this.line.reset();
    this.renewed = false;
    this.outbox.settle(state.seq, knownClientIds(state));
    this.outbox.flush();
    const told = frame.reads?.visitor ?? 0;
    if (state.reads.visitor > told) this.line.send({ frame: "read", seq: state.reads.visitor });
  }

  #event(event) {
    const { state, gap } = applyEvent(this.state, event);
    if (gap) return this.line.reset();
    const news = state !== this.state;
    this.state = state;
    if (!news || event.type === "skip") return;
    this.outbox.settle(state.seq, new Set([event.data?.client_id]));
    const author = event.type === "message.posted" ? event.data.author?.kind : null;
    if (author && author !== "visitor") this.onEvent("message", { from: author });
  }

  #ack(frame) {
    this.outbox.ack(frame.client_id, frame.seq);
    this.outbox.settle(this.state.seq, new Set());
    this.line.expect(frame.seq);
  }

  #typing(who, on) {
    if (!(who in this.state.typing)) return;
    this.state = { ...this.state, typing: { ...this.state.typing, [who]: on ? this.now() : 0 } };
    this.timers.clearTimeout(this.fade[who]);
    if (on) this.fade[who] = this.timers.setTimeout(() => { this.#typing(who, false); this.onChange(); }, SHOWN_MS);
  }

  #lineIs(status, code) {
    this.status = status;
    if (status !== "online") this.state = { ...this.state, typing: { agent: 0, bot: 0 } };
    if (status === "final" && (code === CODE.badToken || code === CODE.noConversation) && !this.renewed) this.#renew(code);
    this.onChange();
  }

  /** The server does not know our token or conversation (any more): ask once who we are, and go on from there. */
  async #renew(code) {
    this.renewed = true;
    try {
      if (code === CODE.badToken) this.session.forget();
      await this.session.start();
    } catch {
      return;  // stays "final": the banner offers to load again
    }
    this.enter(null);
    if (this.session.conversation) this.enter(this.session.conversation);
    this.onChange();
  }
}
