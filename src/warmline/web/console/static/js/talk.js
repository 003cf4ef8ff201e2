// One conversation on the page, alive: rows, typing, read marks, and the panels that change when its owner does.
import { showCount } from "./composer.js";
import { post } from "./console_post.js";
import { ConversationStream } from "./conversation_stream.js";
import { FileTray } from "./file_tray.js";
import { Outbox } from "./outbox.js";
import { Transcript } from "./transcript.js";

const TYPING_EVERY_MS = 3000;
const TYPING_ENDS_MS = 5000;
const MOVES = /^(handover|conversation|details|contact|visitor|delivery)\./;
const QUIET = "handover.queued";

export class Talk {
  #typingSent = 0;
  #typingEnds = 0;
  #readSent = 0;
  #waits = false;
  #controller = new AbortController();

  /** @param {HTMLElement} root @param {(frame: object) => void} [onBoard] */
  constructor(root, onBoard) {
    this.root = root;
    this.id = root.dataset.talk ?? "";
    this.onBoard = onBoard;
    if (this.id) this.#openConversation();
    const position = {
      conversation: this.id,
      incarnation: root.dataset.incarnation ?? "",
      since: Number(root.dataset.since ?? 0),
      board: Boolean(onBoard),
    };
    this.stream = new ConversationStream(position, {
      frame: (frame) => this.#receive(frame),
      state: (state) => this.#show(state),
    });
    this.stream.open();
    document.addEventListener("visibilitychange", () => this.#markRead(), { signal: this.#controller.signal });
  }

  close() {
    this.stream.close();
    this.#controller.abort();
    clearTimeout(this.#typingEnds);
  }

  #openConversation() {
    this.transcript = new Transcript(this.root);
    if (this.root.querySelector("#talk-foot")) {
      this.files = new FileTray(this.root, this.id, this.#controller.signal);
      this.files.onSettled = () => this.#goOn();
    }
    this.outbox = new Outbox(`/console/desk/${this.id}/say`, this.transcript);
    const foot = this.root.querySelector("#talk-foot");
    if (!foot) return;
    foot.addEventListener("submit", (event) => this.#submit(event));
    foot.addEventListener("input", (event) => this.#input(event));
    // While nothing about what can be done has changed, the box in which somebody writes must not be replaced.
    foot.addEventListener("htmx:beforeSwap", (event) => {
      const next = new DOMParser().parseFromString(event.detail.serverResponse, "text/html");
      const mode = next.querySelector("[data-mode]")?.dataset.mode;
      if (mode === foot.querySelector("[data-mode]")?.dataset.mode) event.detail.shouldSwap = false;
    });
    foot.addEventListener("htmx:afterSettle", () => this.#restoreDraft());
    this.#restoreDraft();
  }

  #submit(event) {
    const form = event.target.closest("[data-composer]");
    if (!form) return;
    event.preventDefault();
    const box = form.elements.text;
    const text = box.value.trim();
    // Pressed while a file is on its way: everything goes as soon as it has arrived.
    this.#waits = this.files.uploading;
    if (this.#waits) return;
    const files = this.files.take();
    if (!text && !files.length) return;
    this.outbox.send(text, files);
    box.value = "";
    showCount(box);
    sessionStorage.removeItem(this.#draftKey);
    this.#typing(false);
    box.focus();
  }

  #goOn() {
    if (!this.#waits || this.files.uploading) return;
    this.#waits = false;
    if (!this.files.hasFailed) this.root.querySelector("#talk-foot [data-composer]")?.requestSubmit();
  }

  #input(event) {
    if (!event.target.matches("textarea")) return;
    const text = event.target.value;
    if (text) sessionStorage.setItem(this.#draftKey, text);
    else sessionStorage.removeItem(this.#draftKey);
    this.#typing(Boolean(text.trim()));
  }

  get #draftKey() {
    return `draft:${this.id}`;
  }

  #restoreDraft() {
    const box = this.root.querySelector("#talk-foot textarea");
    if (!box) return;
    this.files.draw();
    if (!box.value) box.value = sessionStorage.getItem(this.#draftKey) ?? "";
    showCount(box);
    if (matchMedia("(hover: hover)").matches) box.focus({ preventScroll: true });
  }

  #typing(on) {
    clearTimeout(this.#typingEnds);
    const now = Date.now();
    if (on) {
      this.#typingEnds = setTimeout(() => this.#typing(false), TYPING_ENDS_MS);
      if (now - this.#typingSent < TYPING_EVERY_MS) return;
    } else if (!this.#typingSent) return;
    this.#typingSent = on ? now : 0;
    post(`/console/desk/${this.id}/typing`, { on: on ? "1" : "0" }).catch(() => {});
  }

  #receive(frame) {
    if (frame.frame === "board") return this.onBoard?.(frame);
    if (!this.transcript) return;
    if (frame.frame === "sync") {
      if (frame.mode === "snapshot") this.transcript.replace(frame.events);
      else for (const event of frame.events) this.transcript.add(event);
      this.transcript.setVisitorRead(frame.reads.visitor);
      if (frame.events.some(moves)) this.#moved();
      this.#markRead();
    } else if (frame.frame === "event") {
      this.transcript.add(frame.event);
      if (moves(frame.event)) this.#moved();
      if (frame.event.type === "message.posted") {
        if (frame.event.author === this.root.dataset.member) this.transcript.showSeen();
        else this.transcript.setTyping(false);
        this.#markRead();
      }
    } else if (frame.frame === "typing" && frame.who === "visitor") {
      this.transcript.setTyping(frame.on);
    } else if (frame.frame === "read" && frame.by === "visitor") {
      this.transcript.setVisitorRead(frame.seq);
    }
  }

  #moved() {
    document.body.dispatchEvent(new CustomEvent("talk-moved"));
  }

  #markRead() {
    const seq = this.stream.position.since;
    const mine = this.root.querySelector('#talk-foot [data-mode="mine"]');
    if (!this.id || !mine || document.hidden || seq <= this.#readSent) return;
    this.#readSent = seq;
    post(`/console/desk/${this.id}/read`, { seq: String(seq) }).catch(() => {
      this.#readSent = 0;
    });
  }

  #show(state) {
    this.root.toggleAttribute("data-offline", state === "lost");
    const sign = this.root.querySelector("[data-lost]");
    if (sign) sign.hidden = state !== "lost";
  }
}

function moves(event) {
  return MOVES.test(event.type) && event.type !== QUIET;
}

const reading = document.querySelector("[data-talk]:not([data-desk])");
if (reading) new Talk(reading);
