// The live line: losing it, finding it again, and the way back from the second transport, with hand-driven timers and transports.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Connection, REMEMBERED_MS, SYNC_WITHIN_MS, TRIAL_CAP_MS, TRIAL_MS } from "../../src/warmline/web/widget/static/models/connection.js";
import { Timers } from "./timers.mjs";

function stage({ since = 0, transports = 1, memory = { kept: null } } = {}) {
  const timers = new Timers();
  const lines = [];
  const seen = { frames: [], status: [] };
  const kinds = Array.from({ length: transports }, (_, kind) => ({
    open: ({ onFrame, onClose, hello }) => {
      const line = {
        kind, hello, sent: [], onFrame, onClose: (code) => { line.lost = true; onClose(code); },
        send: (frame) => line.sent.push(frame), close: (code = 4000) => { line.closed = true; onClose(code); },
      };
      lines.push(line);
      return line;
    },
  }));
  const position = { since };
  const connection = new Connection({
    base: "", transports: kinds, hello: () => ({ since: position.since }), random: () => 0.5, timers, now: timers.now,
    onFrame: (frame) => seen.frames.push(frame), onStatus: (status, code) => seen.status.push(code ?? status),
    memory: { get: () => memory.kept, set: (tried) => { memory.kept = tried; } },
  });
  return { connection, lines, timers, seen, position, memory: Object.assign(memory, { had: connection.choice > 0 }) };
}

const top = (lines) => lines[lines.length - 1];

test("nothing is sent before the first sync", () => {
  const { connection, lines } = stage();
  connection.start();
  assert.equal(connection.send({ frame: "message" }), false);
  top(lines).onFrame({ frame: "sync" });
  assert.equal(connection.send({ frame: "message" }), true);
});

test("a lost line is opened again with the last seq, and the other transport gets its turn", () => {
  const { connection, lines, timers, position } = stage({ transports: 2 });
  connection.start();
  top(lines).onFrame({ frame: "sync" });
  position.since = 7;
  top(lines).onClose(4000);
  timers.advance(1000);
  assert.equal(top(lines).hello.since, 7);
  for (let n = 0; n < 2; n += 1) { top(lines).onClose(4000); timers.advance(4000); }
  assert.equal(top(lines).kind, 1);
});

test("a final code ends it", () => {
  const { connection, lines, timers, seen } = stage();
  connection.start();
  top(lines).onClose(4502);
  timers.advance(120000);
  assert.equal(lines.length, 1);
  assert.deepEqual(seen.status.at(-1), 4502);
});

test("a ping that knows more than we do, and nothing following, means a silent gap", () => {
  const { connection, lines, timers, position } = stage();
  connection.start();
  top(lines).onFrame({ frame: "sync" });
  position.since = 4;
  top(lines).onFrame({ frame: "ping", seq: 5 });
  assert.deepEqual(top(lines).sent, [{ frame: "pong" }]);
  timers.advance(4000);
  assert.equal(lines.length, 2);
  assert.equal(top(lines).hello.since, 4);
});

test("silence ends the line, drain leaves within the time given", () => {
  const { connection, lines, timers } = stage();
  connection.start();
  top(lines).onFrame({ frame: "sync" });
  timers.advance(62000);
  assert.equal(lines.length, 2);
  top(lines).onFrame({ frame: "sync" });
  top(lines).onFrame({ frame: "drain", within_ms: 2000 });
  timers.advance(2500);
  assert.equal(lines.length, 3);
});

test("when the network goes the visitor hears of it at once, and again when something arrives or it is back", () => {
  const { connection, lines, timers, seen } = stage();
  connection.start();
  top(lines).onFrame({ frame: "sync" });
  connection.networkLost();
  assert.equal(seen.status.at(-1), "offline");
  assert.equal(connection.send({ frame: "message" }), true, "the browser may be wrong");
  top(lines).onFrame({ frame: "ping", seq: 0 });
  assert.equal(seen.status.at(-1), "online");
  assert.equal(lines.length, 1);
  connection.networkLost();
  connection.retryNow();
  timers.advance(1000);
  assert.equal(lines.length, 2, "a line from before is not trusted");
});

/** On the second transport, in sync; `memory.kept` is what a reload would find. */
function onSecond(options = {}) {
  const set = stage({ transports: 2, ...options });
  const { connection, lines, timers, memory } = set;
  connection.start();
  if (!memory.had) for (let n = 0; n < 2; n += 1) { top(lines).onClose(4000); timers.advance(4000); }
  assert.equal(top(lines).kind, 1);
  top(lines).onFrame({ frame: "sync" });
  return { ...set, second: top(lines) };
}

test("the first transport is tried beside the second and takes over with its sync, not before", () => {
  const { connection, lines, timers, seen, second, position, memory } = onSecond();
  position.since = 4;
  timers.advance(TRIAL_MS);
  const first = top(lines);
  assert.deepEqual([first.kind, first.hello.since], [0, 4]);
  first.onFrame({ frame: "ping", seq: 9 });
  second.onFrame({ frame: "event", event: { seq: 5 } });
  assert.equal(connection.send({ frame: "message" }), true);
  assert.deepEqual(second.sent, [{ frame: "message" }]);
  first.onFrame({ frame: "sync", seq: 5 });
  assert.equal(second.closed, true);
  connection.send({ frame: "read" });
  assert.deepEqual(first.sent, [{ frame: "read" }]);
  second.onFrame({ frame: "event", event: { seq: 6 } });
  first.onFrame({ frame: "event", event: { seq: 6 } });
  assert.deepEqual(seen.frames.map((frame) => frame.event?.seq ?? frame.frame), ["sync", 5, "sync", 6]);
  assert.equal(seen.status.at(-1), "online");
  assert.equal(seen.status.filter((status) => status === "online").length, 1, "the visitor sees nothing of it");
  assert.equal(memory.kept, null);
  first.onClose(4000);
  timers.advance(1000);
  assert.equal(top(lines).kind, 0);
});

test("a trial that fails or stays silent is repeated ever more seldom, and the line goes on", () => {
  const { lines, timers, second } = onSecond();
  const trials = () => lines.filter((line) => line !== second && line.kind === 0).length;
  const before = trials();
  const keepAlive = (ms) => { for (let at = 0; at < ms; at += 25000) { second.onFrame({ frame: "ping", seq: 0 }); timers.advance(Math.min(25000, ms - at)); } };
  keepAlive(TRIAL_MS);
  assert.equal(trials(), before + 1);
  keepAlive(SYNC_WITHIN_MS);
  assert.equal(top(lines).closed, true);
  keepAlive(TRIAL_MS * 2);
  assert.equal(trials(), before + 2);
  keepAlive(TRIAL_CAP_MS * 4);
  assert.ok(trials() < before + 11, String(trials()));
  assert.equal(second.closed, undefined);
});

test("when the network or the page comes back a trial is made at once, but not at every turn", () => {
  const { connection, lines, timers, second } = onSecond();
  timers.advance(TRIAL_MS);
  top(lines).onClose(1006);
  const count = lines.length;
  connection.wake();
  assert.equal(lines.length, count);
  second.onFrame({ frame: "ping", seq: 0 });
  timers.advance(31000);
  connection.wake();
  connection.retryNow();
  assert.equal(lines.length, count + 1);
});

test("a trial ends with the line, and with the chat", () => {
  const { connection, lines, timers, second } = onSecond();
  timers.advance(TRIAL_MS);
  const trial = top(lines);
  second.onClose(4000);
  assert.equal(trial.closed, true);
  timers.advance(1000);
  top(lines).onFrame({ frame: "sync" });
  timers.advance(TRIAL_MS * 3);
  assert.equal(top(lines).kind, 0);
  connection.stop();
  assert.ok(lines.every((line) => line.closed || line === second || line.lost));
});

test("after a reload the line begins with the transport that worked, for a bounded time", () => {
  const { memory } = onSecond();
  assert.notEqual(memory.kept, null);
  const again = stage({ transports: 2, memory });
  again.connection.start();
  assert.equal(top(again.lines).kind, 1);
  top(again.lines).onFrame({ frame: "sync" });
  again.timers.advance(TRIAL_MS * 2);
  assert.equal(top(again.lines).kind, 0, "and goes on trying the first");
  const later = stage({ transports: 2, memory: { ...memory, kept: { at: -REMEMBERED_MS, tries: 0 } } });
  later.connection.start();
  assert.equal(top(later.lines).kind, 0);
});
