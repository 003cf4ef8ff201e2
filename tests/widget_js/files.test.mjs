// Files on their way into a message: what is refused at once, progress, calling off, trying again, and what the log is given.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Files, isFresh, isPicture, MOST_FILES } from "../../src/warmline/web/widget/static/models/files.js";

function tray({ limit = 100 } = {}) {
  const sent = [];
  const released = [];
  let ids = 0;
  let changes = 0;
  const files = new Files({
    newId: () => `k${(ids += 1)}`,
    onChange: () => { changes += 1; },
    preview: (file) => (file.type === "image/png" ? `blob:${file.name}` : null),
    release: (address) => released.push(address),
    post: (file, on) => {
      const one = { file, on, aborted: false };
      sent.push(one);
      return () => { one.aborted = true; };
    },
  });
  files.limit = limit;
  return { files, sent, released, changes: () => changes };
}

const file = (name, size = 10, type = "text/plain") => ({ name, size, type });
const stored = (id) => ({ id, name: `${id}.txt`, media_type: "text/plain", size: 10 });

test("a file is uploaded at once and named by the message when it has arrived", () => {
  const { files, sent } = tray();
  files.add([file("a.txt"), file("b.png", 20, "image/png")]);
  assert.equal(files.uploading, true);
  sent[0].on.onProgress(0.5);
  assert.equal(files.items[0].part, 0.5);
  sent[0].on.onDone(stored("1"));
  sent[1].on.onDone(stored("2"));
  assert.equal(files.uploading, false);
  assert.deepEqual(files.take().map((one) => one.id), ["1", "2"]);
  assert.deepEqual(files.items, []);
  assert.equal(files.previews.get("2"), "blob:b.png");
  assert.equal(files.previews.has("1"), false);
});

test("what cannot be sent is not tried", () => {
  const { files, sent } = tray();
  files.add([file("big", 101), file("empty", 0)]);
  assert.deepEqual(files.items.map((item) => item.reason), ["too_large", "empty"]);
  assert.equal(sent.length, 0);
  files.add(Array.from({ length: MOST_FILES }, (_, n) => file(`${n}`)));
  assert.deepEqual(files.items.slice(-2).map((item) => item.reason), ["too_many", "too_many"]);
});

test("a refusal says why, and what may work later can be tried again", () => {
  const { files, sent } = tray();
  files.add([file("a"), file("b"), file("c")]);
  sent[0].on.onError({ code: "file_type_refused" });
  sent[1].on.onError({ code: "scan_failed" });
  sent[2].on.onDone(stored("3"));
  assert.deepEqual(files.items.map((item) => item.reason ?? item.state), ["refused", "failed", "ready"]);
  assert.deepEqual(files.take().map((one) => one.id), ["3"]);
  assert.equal(files.items.length, 2);
  files.retry(files.items[1].key);
  assert.equal(sent.length, 4);
  assert.equal(sent[3].file.name, "b");
  sent[3].on.onDone(stored("2"));
  assert.deepEqual(files.ready.map((item) => item.stored.id), ["2"]);
});

test("taking a file out calls its upload off and lets its picture go", () => {
  const { files, sent, released, changes } = tray();
  files.add([file("a.png", 10, "image/png")]);
  const before = changes();
  files.remove(files.items[0].key);
  assert.equal(sent[0].aborted, true);
  assert.deepEqual(released, ["blob:a.png"]);
  assert.equal(files.items.length, 0);
  assert.equal(changes(), before + 1);
  files.remove("gone");
  assert.equal(changes(), before + 1);
});

test("a new conversation begins without the files of the one before", () => {
  const { files, sent } = tray();
  files.add([file("a"), file("b")]);
  sent[0].on.onDone(stored("1"));
  files.clear();
  assert.deepEqual(files.items, []);
  assert.deepEqual(sent.map((one) => one.aborted), [false, true]);
});

test("a link is fresh until shortly before its end", () => {
  const url = "/files/1/a.png?expires=2000&signature=k.x";
  assert.equal(isFresh(url, 1980 * 1000), true);
  assert.equal(isFresh(url, 1995 * 1000), false);
  assert.equal(isFresh("/files/1/a.png", 0), false);
});

test("only pictures that every browser draws are shown", () => {
  assert.deepEqual(["image/png", "image/webp", "image/svg+xml", "text/html"].map(isPicture), [true, true, false, false]);
});
