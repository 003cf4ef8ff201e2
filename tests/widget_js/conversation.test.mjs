// The reducer over the visitor's stream: order, gaps, skips, and what each event makes of the state.
import assert from "node:assert/strict";
import { test } from "node:test";
import { applyEvent, applySync, emptyState, isConnected, isWaiting, lastForeignSeq, openButtons, unreadCount } from "../../src/warmline/web/widget/static/models/conversation.js";
import { timeline } from "../../src/warmline/web/widget/static/models/timeline.js";

const at = "2026-11-21T08:00:00.000Z";
const event = (seq, type, data = {}, owner_epoch = 1) => ({ seq, type, at, owner_epoch, data });
const message = (seq, kind, text, more = {}) => event(seq, "message.posted", { message_id: `m${seq}`, client_id: null, author: { kind, name: null, avatar: null }, text, buttons: [], ...more });
const sync = (events, seq, mode = "gap", state = {}) => ({ frame: "sync", conversation: "c", incarnation: "i", mode, events, seq, state: { status: "open", owner: "bot", owner_epoch: 1, handover: null, ...state }, reads: { agent: 0, visitor: 0 } });
const after = (events, from = emptyState("c")) => events.reduce((state, one) => {
  const result = applyEvent(state, one);
  assert.equal(result.gap, false);
  return result.state;
}, from);

test("a gap is reported and never applied", () => {
  const state = after([event(1, "conversation.started")]);
  const result = applyEvent(state, message(3, "bot", "later"));
  assert.equal(result.gap, true);
  assert.equal(result.state, state);
});

test("an event that was seen is ignored, a range of skips moves on", () => {
  const state = after([event(1, "conversation.started"), message(2, "bot", "hello"), { seq: 3, type: "skip", to: 6 }]);
  assert.equal(state.seq, 6);
  assert.equal(applyEvent(state, message(2, "bot", "again")).state, state);
  assert.equal(applyEvent(state, { seq: 5, type: "skip", to: 8 }).state.seq, 8);
});

test("a sync that does not join asks again from zero", () => {
  const known = applySync(emptyState("c"), sync([event(1, "conversation.started")], 1)).state;
  const result = applySync(known, sync([message(3, "bot", "x")], 3));
  assert.equal(result.gap, true);
  assert.equal(result.state.seq, 0);
  assert.equal(result.state.incarnation, null);
});

test("a snapshot and another incarnation replace what was known", () => {
  const known = applySync(emptyState("c"), sync([event(1, "conversation.started"), message(2, "bot", "old")], 2)).state;
  const shown = applySync(known, sync([message(40, "bot", "new")], 41, "snapshot"));
  assert.equal(shown.gap, false);
  assert.deepEqual(shown.state.items.map((item) => item.text), ["new"]);
  assert.equal(shown.state.seq, 41);
  assert.equal(shown.state.truncated, true);
});

test("the handover's story ends with the bot", () => {
  let state = after([event(1, "conversation.started"), message(2, "visitor", "a person, please"), event(3, "handover.requested", { text: "One moment" })]);
  assert.ok(isWaiting(state));
  state = after([event(4, "handover.queued", { position: 3, wait_minutes: null })], state);
  assert.equal(state.handover.position, 3);
  assert.equal(state.handover.waitMinutes, null);
  state = after([event(5, "handover.connected", { agent: { name: "Noor", avatar: null } })], state);
  assert.ok(isConnected(state));
  state = after([event(6, "handover.transferring", {}), event(7, "handover.transferring", { position: 1 }), event(8, "handover.transferred", { agent: { name: "Sam" } })], state);
  assert.equal(state.handover.agent.name, "Sam");
  assert.equal(state.items.filter((item) => item.name === "transferring").length, 1);
  state = after([event(9, "handover.ended", { reason: "agent_left" })], state);
  assert.equal(state.handover, null);
  assert.equal(state.owner, "bot");
});

test("after the last rung a contact is offered, until it was left", () => {
  let state = after([event(1, "conversation.started"), event(2, "handover.requested"), event(3, "handover.rung_failed", { more: false }), event(4, "handover.failed")]);
  assert.equal(state.offerContact, true);
  state = after([event(5, "contact.left")], state);
  assert.equal(state.offerContact, false);
});

test("a visitor whose desk was given up is asked whether to go on waiting", () => {
  const state = after([event(1, "conversation.started"), event(2, "handover.requested"), event(3, "handover.rung_failed", { more: true, text: "Another team" })]);
  assert.equal(state.handover.asked, true);
  assert.equal(isWaiting(state), true);
  assert.equal(after([event(4, "handover.connected", { agent: null })], state).handover.state, "connected");
});

test("buttons answer only the last message of the bot", () => {
  const buttons = [{ text: "Returns", kind: "reply", url: null }];
  const state = after([event(1, "conversation.started"), message(2, "bot", "hello", { buttons })]);
  assert.equal(openButtons(state, false).key, "m2");
  assert.equal(openButtons(state, true), null);
  assert.equal(openButtons(after([message(3, "visitor", "hi")], state), false), null);
});

test("unread counts others' messages behind the read mark", () => {
  const state = after([event(1, "conversation.started"), message(2, "bot", "a"), message(3, "visitor", "b"), message(4, "agent", "c")]);
  assert.equal(unreadCount(state), 2);
  assert.equal(unreadCount({ ...state, reads: { ...state.reads, visitor: 3 } }), 1);
});

test("that somebody came or nobody could is news, what the visitor did is none", () => {
  const wait = [event(1, "conversation.started"), event(2, "handover.requested")];
  const joined = after([...wait, event(3, "handover.connected", { agent: null })]);
  assert.equal(unreadCount(joined), 1);
  assert.equal(unreadCount({ ...joined, reads: { agent: 0, visitor: lastForeignSeq(joined) } }), 0);
  assert.equal(unreadCount(after([...wait, event(3, "handover.rung_failed", { more: true })])), 1);
  assert.equal(unreadCount(after([...wait, event(3, "handover.cancelled", { by: "visitor" })])), 0);
});

test("a sync that another line has overtaken takes nothing back", () => {
  const first = applySync(emptyState("c"), sync([event(1, "conversation.started")], 1)).state;
  const ahead = after([event(2, "handover.requested"), event(3, "handover.connected", { agent: { name: "Noor" } })], first);
  const { state, gap } = applySync(ahead, sync([event(2, "handover.requested")], 2, "gap", { owner: "desk", handover: { state: "requested" } }));
  assert.equal(gap, false);
  assert.equal(state.seq, 3);
  assert.equal(state.handover.agent.name, "Noor");
  assert.equal(state.synced, true);
});

test("an unconfirmed message stands once, before and after it is stored", () => {
  const pending = { client_id: "k", at: Date.parse(at), state: "pending", frame: { frame: "message", text: "mine" } };
  const before = after([event(1, "conversation.started")]);
  const own = (rows) => rows.filter((row) => row.kind === "message");
  assert.deepEqual(own(timeline(before, [pending])).map((row) => row.delivery), ["sending"]);
  const stored = after([message(2, "visitor", "mine", { client_id: "k" })], before);
  const rows = own(timeline(stored, [pending]));
  assert.deepEqual(rows.map((row) => row.delivery), ["sent"]);
  assert.equal(rows[0].key, "k");
});

test("an event type of a newer server is passed over", () => {
  const state = after([event(1, "conversation.started"), event(2, "weather.changed", { x: 1 })]);
  assert.equal(state.seq, 2);
  assert.equal(state.items.length, 0);
});
