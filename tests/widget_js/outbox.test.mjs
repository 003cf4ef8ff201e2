// What is kept until it is confirmed, pauses, typing, links and texts, with hand-driven timers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff, CAP_MS } from "../../src/warmline/web/widget/static/models/backoff.js";
import { pieces } from "../../src/warmline/web/widget/static/models/linkify.js";
import { Outbox } from "../../src/warmline/web/widget/static/models/outbox.js";
import { Texts } from "../../src/warmline/web/widget/static/models/texts.js";
import { Timers } from "./timers.mjs";
import { TypingSignal } from "../../src/warmline/web/widget/static/models/typing.js";

class Storage {
  constructor() { this.values = new Map(); }
  getItem(key) { return this.values.get(key) ?? null; }
  setItem(key, value) { this.values.set(key, value); }
  removeItem(key) { this.values.delete(key); }
}

function box({ online = true } = {}) {
  const timers = new Timers();
  const storage = new Storage();
  const sent = [];
  let id = 0;
  const line = { online };
  const make = () => new Outbox({
    storage, key: "o", newId: () => `id${(id += 1)}`, timers, now: timers.now, onChange: () => {}, onStuck: () => sent.push("stuck"),
    send: (frame) => { if (line.online) sent.push(frame.client_id); return line.online; },
  });
  return { outbox: make(), make, sent, line, timers };
}

test("what was written offline survives a reload and goes out in order, once confirmed never again", () => {
  const { outbox, make, sent, line } = box({ online: false });
  outbox.add({ frame: "message", text: "a" });
  outbox.add({ frame: "message", text: "b" });
  const later = make();
  line.online = true;
  later.flush();
  assert.deepEqual(sent, ["id1"]);
  later.ack("id1", 5);
  assert.deepEqual(sent, ["id1", "id2"]);
  later.flush();
  assert.deepEqual(sent, ["id1", "id2", "id2"]);
  later.ack("id2", 6);
  later.settle(6, new Set(["id1"]));
  assert.deepEqual(later.items, []);
});

test("a refusal that may pass is tried again with the same id, a final one is shown and can be repeated", () => {
  const { outbox, sent, timers } = box();
  const id = outbox.add({ frame: "message", text: "a" });
  outbox.refuse(id, { code: "rate_limited", detail: "", retryable: true, retry_after: 3 });
  timers.advance(2900);
  assert.equal(sent.length, 1);
  timers.advance(200);
  assert.deepEqual(sent, [id, id]);
  outbox.refuse(id, { code: "closed", detail: "over", retryable: false });
  assert.equal(outbox.items[0].state, "failed");
  outbox.retry(id);
  assert.deepEqual(sent, [id, id, id]);
});

test("what comes later waits for what the server put off", () => {
  const { outbox, sent, timers } = box();
  outbox.add({ frame: "message", text: "first" });
  outbox.add({ frame: "message", text: "second" });
  outbox.refuse("id1", { code: "rate_limited", detail: "", retryable: true });
  outbox.add({ frame: "message", text: "third" });
  timers.advance(1100);
  assert.deepEqual(sent, ["id1", "id1"]);
  outbox.ack("id1", 5);
  outbox.refuse("id2", { code: "closed", detail: "", retryable: false });
  outbox.ack("id3", 6);
  assert.deepEqual(sent, ["id1", "id1", "id2", "id3"]);
});

test("a missing answer is noticed", () => {
  const { outbox, sent, timers } = box();
  outbox.add({ frame: "message", text: "a" });
  timers.advance(16000);
  assert.equal(sent.at(-1), "stuck");
});

test("pauses grow to the cap and begin anywhere in the first second", () => {
  const low = new Backoff(() => 0);
  const high = new Backoff(() => 0.999999);
  assert.equal(low.next(), 0);
  const pauses = Array.from({ length: 12 }, () => high.next());
  assert.ok(pauses[0] < 1000);
  assert.ok(pauses.every((pause) => pause < CAP_MS));
  assert.equal(pauses.at(-1), CAP_MS - 1);
});

test("typing is told seldom and taken back", () => {
  const timers = new Timers();
  const told = [];
  const signal = new TypingSignal({ tell: (on) => told.push(on), timers, now: timers.now });
  for (let n = 0; n < 10; n += 1) { signal.input(); timers.advance(100); }
  assert.deepEqual(told, [true]);
  timers.advance(6000);
  assert.deepEqual(told, [true, false]);
});

test("only web addresses become links, and the text stays what it was", () => {
  const text = "see https://shop.example/a(b). or javascript:alert(1), http://x.example/?q=1!";
  const found = pieces(text);
  assert.equal(found.map((piece) => piece.text).join(""), text);
  assert.deepEqual(found.filter((piece) => piece.url).map((piece) => piece.url), ["https://shop.example/a(b)", "http://x.example/?q=1"]);
});

test("texts choose the plural form and fill in localised numbers", () => {
  const texts = new Texts({ wait: { one: "{count} minute", other: "{count} minutes" }, hi: "Hi {name}" }, "en");
  assert.equal(texts.t("wait", { count: 1 }), "1 minute");
  assert.equal(texts.t("wait", { count: 1200 }), "1,200 minutes");
  assert.equal(texts.t("hi", { name: "<b>" }), "Hi <b>");
});
