// The conversation as the visitor sees it: a pure reducer over the events of the stream. `seq` has no holes; what a visitor may
// not see arrives as a skip, one number or a range. An event that does not follow directly is a gap and is never applied.

export function emptyState(conversation = null) {
  return {
    conversation, incarnation: null, seq: 0, items: [], truncated: false, synced: false,
    status: "open", owner: "bot", ownerEpoch: 0, handover: null, offerContact: false,
    reads: { agent: 0, visitor: 0 }, typing: { agent: 0, bot: 0 }, parked: new Set(), greeted: false,
  };
}

/** Apply a sync frame. Returns {state, gap}; gap is true when the answer does not join what we have: ask again from zero. */
export function applySync(state, frame) {
  const foreign = state.incarnation !== null && state.incarnation !== frame.incarnation;
  const fresh = frame.mode === "snapshot" || foreign || state.seq === 0;
  let next = fresh ? { ...emptyState(frame.conversation), parked: new Set(), seq: frame.mode === "snapshot" ? null : 0 } : state;
  let gap = false;
  for (const event of frame.events) {
    const result = applyEvent(next, event);
    next = result.state;
    gap ||= result.gap;
  }
  if (frame.mode === "gap" && next.seq < frame.seq) gap = true;
  if (gap) return { state: { ...emptyState(frame.conversation), incarnation: null }, gap: true };
  // Another line was ahead of this one: what it told is newer than the state given here.
  if (frame.mode === "gap" && next.seq > frame.seq) return { state: { ...next, synced: true, reads: mergedReads(state, next, frame) }, gap: false };
  const truncated = frame.mode === "snapshot" ? frame.events.length > 0 && frame.events[0].seq > 1 && frame.events[0].type !== "conversation.started" : next.truncated;
  return { state: { ...withServerState(next, frame.state), incarnation: frame.incarnation, seq: frame.seq, truncated, synced: true, reads: mergedReads(state, next, frame) }, gap: false };
}

function mergedReads(before, next, frame) {
  // Marks only ever move on; a slower tab or node must not take "seen" back.
  const given = frame.state?.reads ?? frame.reads ?? {};
  const base = before.conversation === frame.conversation && before.incarnation === frame.incarnation ? before.reads : next.reads;
  return { agent: Math.max(base.agent, given.agent ?? 0), visitor: Math.max(base.visitor, given.visitor ?? 0) };
}

function withServerState(state, given) {
  if (!given) return state;
  const before = state.handover;
  const handover = given.handover ? {
    state: given.handover.state, position: given.handover.position ?? null, waitMinutes: given.handover.wait_minutes ?? null,
    agent: given.handover.agent ?? null, text: given.handover.rung_text ?? "", since: before?.since ?? state.lastAt ?? null, asked: before?.asked ?? false,
  } : null;
  return { ...state, status: given.status ?? state.status, owner: given.owner ?? state.owner, ownerEpoch: given.owner_epoch ?? state.ownerEpoch, handover };
}

/** Apply one event. Returns {state, gap}. Seen events are ignored; in a snapshot (seq null) any first number is right. */
export function applyEvent(state, event) {
  const last = event.type === "skip" ? event.to ?? event.seq : event.seq;
  if (state.seq !== null) {
    if (last <= state.seq) return { state, gap: false };
    if (event.seq > state.seq + 1) return { state, gap: true };
  }
  // Inside a snapshot the numbers between the visible events are left out, so it is only checked that they rise.
  const next = { ...state, seq: state.seq === null ? null : last };
  if (event.type === "skip") return { state: next, gap: false };
  next.ownerEpoch = event.owner_epoch ?? state.ownerEpoch;
  next.lastAt = event.at;
  const reduce = REDUCERS[event.type];
  return { state: reduce ? reduce(next, event, event.data ?? {}) : next, gap: false };
}

const line = (state, event, name, extra = {}) => ({
  ...state, items: [...state.items, { kind: "line", key: `l${event.seq}`, seq: event.seq, at: event.at, name, ...extra }],
});

const waiting = (state, patch) => ({
  ...state, owner: "desk",
  handover: { state: "requested", position: null, waitMinutes: null, agent: null, text: "", since: state.lastAt, ...state.handover, ...patch },
});

const backToBot = (state) => ({ ...state, owner: "bot", handover: null, typing: { ...state.typing, agent: 0 } });

const REDUCERS = {
  "message.posted": (state, event, data) => {
    const author = data.author ?? { kind: "system" };
    const item = {
      kind: "message", key: data.client_id ?? data.message_id ?? `m${event.seq}`, seq: event.seq, at: event.at, id: data.message_id, clientId: data.client_id ?? null,
      author, text: data.text ?? "", buttons: data.buttons ?? [], attachments: data.attachments ?? [],
    };
    const typing = author.kind in state.typing ? { ...state.typing, [author.kind]: 0 } : state.typing;
    return { ...state, typing, items: [...state.items, item] };
  },
  "handover.requested": (state, event, data) => waiting({ ...state, handover: null, offerContact: false }, { state: "requested", text: data.text ?? "", since: event.at }),
  "handover.queued": (state, event, data) => waiting(state, { state: "queued", position: data.position ?? null, waitMinutes: data.wait_minutes ?? null }),
  "handover.connected": (state, event, data) => line(waiting({ ...state, offerContact: false }, { state: "connected", agent: data.agent ?? null }), event, "joined", { agent: data.agent ?? null }),
  "handover.transferring": (state, event, data) => {
    const next = waiting(state, { state: "transferring", position: data.position ?? null, waitMinutes: data.wait_minutes ?? null });
    // Queue news during a transfer repeats the event: said once, shown in the card ever after.
    return state.handover?.state === "transferring" ? next : line({ ...next, handover: { ...next.handover, since: event.at } }, event, "transferring");
  },
  "handover.transferred": (state, event, data) => line(waiting(state, { state: "connected", agent: data.agent ?? null }), event, "joined", { agent: data.agent ?? null }),
  "handover.put_back": (state, event) => line(waiting(state, { state: "queued", position: null, waitMinutes: null, agent: null, since: event.at }), event, "put_back"),
  "handover.rung_failed": (state, event, data) => {
    const next = data.more ? waiting(state, { state: "requested", position: null, waitMinutes: null, agent: null, text: data.text ?? "", asked: true }) : state;
    return line(next, event, "rung_failed", { text: data.text ?? "", reason: data.reason });
  },
  "handover.failed": (state, event, data) => line({ ...backToBot(state), offerContact: true }, event, "failed", { text: data.text ?? "", reason: data.reason }),
  "handover.cancelled": (state, event, data) => line(backToBot(state), event, "cancelled", { by: data.by }),
  "handover.ended": (state, event, data) => line(backToBot(state), event, "left", { reason: data.reason, agent: state.handover?.agent ?? null }),
  "delivery.parked": (state, event, data) => ({ ...state, parked: new Set(state.parked).add(data.message_id) }),
  "delivery.resent": (state, event, data) => {
    const parked = new Set(state.parked);
    parked.delete(data.message_id);
    return { ...state, parked };
  },
  "contact.left": (state, event) => line({ ...state, offerContact: false }, event, "contact_left"),
  "conversation.closed": (state, event, data) => line({ ...backToBot(state), status: "closed", offerContact: false }, event, "closed", { reason: data.reason }),
};

/** The client ids among the items: their optimistic copies are no longer needed. */
export const knownClientIds = (state) => new Set(state.items.map((item) => item.clientId).filter(Boolean));

const NEWS = new Set(["joined", "rung_failed", "failed"]);

/** What a visitor who is not looking wants to know of: what others said, that somebody came, that nobody could. */
const isNews = (item) => (item.kind === "message" ? item.author.kind !== "visitor" : NEWS.has(item.name));

/** The highest seq of something from others: what a read mark is about. */
export const lastForeignSeq = (state) => state.items.reduce((top, item) => (isNews(item) ? item.seq : top), 0);

export const unreadCount = (state) => state.items.filter((item) => isNews(item) && item.seq > state.reads.visitor).length;

export const isWaiting = (state) => ["requested", "offered", "queued", "transferring"].includes(state.handover?.state);

export const isConnected = (state) => state.handover?.state === "connected";

/** The buttons that may still be answered: those of the last message, as long as nobody has said anything after it. */
export function openButtons(state, hasPending) {
  if (hasPending || state.status === "closed") return null;
  const last = state.items.findLast?.((item) => item.kind === "message") ?? [...state.items].reverse().find((item) => item.kind === "message");
  return last && last.author.kind === "bot" && last.buttons.length && state.owner === "bot" ? last : null;
}
