// From state and outbox to what stands in the log: day separators, lines, messages in groups of one speaker, each with a stable
// key, so that the view can change a message in place when its optimistic copy becomes the stored one.

const GROUP_MS = 5 * 60 * 1000;

const dayOf = (at) => {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
};

const speaker = (entry) => `${entry.author.kind}:${entry.author.name ?? ""}`;

function pendingMessages(outbox, known) {
  return outbox.filter((item) => item.frame.frame === "message" && !known.has(item.client_id)).map((item) => ({
    kind: "message", key: item.client_id, seq: null, at: new Date(item.at).toISOString(), clientId: item.client_id,
    author: { kind: "visitor" }, text: item.frame.text, buttons: [], attachments: item.files ?? [],
    delivery: item.state === "failed" ? "failed" : item.state === "sent" ? "sent" : "sending", reason: item.reason,
  }));
}

/** [{kind:"earlier"|"day"|"line"|"message", key, at, …}]; messages carry first, last (of their group) and delivery (own ones). */
export function timeline(state, outbox) {
  const known = new Set(state.items.map((item) => item.clientId).filter(Boolean));
  const stored = state.items.map((item) => (item.kind === "message" && item.author.kind === "visitor" ? { ...item, delivery: deliveryOf(item, state) } : item));
  const entries = [...stored, ...pendingMessages(outbox, known)];
  const rows = state.truncated ? [{ kind: "earlier", key: "earlier" }] : [];
  let day = null;
  entries.forEach((entry, index) => {
    if (dayOf(entry.at) !== day) {
      day = dayOf(entry.at);
      rows.push({ kind: "day", key: `d${day}`, at: entry.at });
    }
    rows.push(entry.kind === "message" ? { ...entry, first: !joins(entries[index - 1], entry), last: !joins(entry, entries[index + 1]) } : entry);
  });
  return withReceipt(rows);
}

function joins(before, after) {
  return Boolean(before && after && before.kind === "message" && after.kind === "message" && speaker(before) === speaker(after)
    && dayOf(before.at) === dayOf(after.at) && Math.abs(new Date(after.at) - new Date(before.at)) < GROUP_MS);
}

function deliveryOf(item, state) {
  if (state.parked.has(item.id)) return "parked";
  return item.seq <= state.reads.agent ? "seen" : "sent";
}

/** "Sent" and "seen" are said once, under the last own message; trouble and "sending" are said where they happen. */
function withReceipt(rows) {
  const last = rows.findLastIndex((row) => row.kind === "message" && row.author.kind === "visitor");
  return rows.map((row, index) => (row.delivery && index !== last && (row.delivery === "sent" || row.delivery === "seen") ? { ...row, delivery: "" } : row));
}
