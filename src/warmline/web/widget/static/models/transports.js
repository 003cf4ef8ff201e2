// Two ways to carry the same frames. Both have the shape
//   open({base, hello, onFrame, onClose}) -> {send(frame), close()}
// where onClose(code) is called exactly once: 4000–4499 may be tried again, 4500–4599 are final, anything else is a broken line.

export const CODE = { lost: 4000, heartbeat: 4003, badToken: 4501, noConversation: 4502, badFrame: 4503 };

const once = (fn) => {
  let done = false;
  return (value) => {
    if (!done) { done = true; fn(value); }
  };
};

export const webSocketTransport = {
  name: "websocket",

  open({ base, hello, onFrame, onClose }) {
    const closed = once(onClose);
    const url = new URL(`${base}/widget/ws`, globalThis.location?.href);
    url.protocol = url.protocol.replace("http", "ws");
    let socket;
    try {
      socket = new WebSocket(url);
    } catch {
      queueMicrotask(() => closed(CODE.lost));
      return { send() {}, close: (code = CODE.lost) => closed(code) };
    }
    socket.onopen = () => socket.send(JSON.stringify({ frame: "hello", ...hello }));
    socket.onmessage = (message) => {
      let frame;
      try { frame = JSON.parse(message.data); } catch { return; }
      onFrame(frame);
    };
    socket.onclose = (event) => closed(event.code);
    socket.onerror = () => {};
    return {
      send(frame) {
        if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
      },
      close(code = CODE.lost) {
        closed(code);
        socket.close(1000);
      },
    };
  },
};

/** Split a text/event-stream body into its messages {event, data}; keeps the unfinished rest between calls. */
export class EventStreamParser {
  constructor() {
    this.rest = "";
  }

  push(text) {
    const blocks = (this.rest + text).replace(/\r\n/g, "\n").split("\n\n");
    this.rest = blocks.pop();
    return blocks.map(messageOf).filter((message) => message.data);
  }
}

function messageOf(block) {
  const fields = block.split("\n").map((line) => /^(event|data): ?(.*)$/.exec(line)).filter(Boolean);
  const all = (name) => fields.filter((field) => field[1] === name).map((field) => field[2]).join("\n");
  return { event: all("event") || "message", data: all("data") };
}

export function closeCodeOf(status) {
  if (status === 401) return CODE.badToken;
  if (status === 404 || status === 410) return CODE.noConversation;
  return CODE.lost;
}

export const eventStreamTransport = {
  name: "sse",

  open({ base, hello, onFrame, onClose }) {
    const abort = new AbortController();
    const closed = once((code) => { abort.abort(); onClose(code); });
    const authorization = `Bearer ${hello.token}`;
    readStream(base, hello, authorization, abort.signal, onFrame).then(closed, () => closed(CODE.lost));
    return {
      send(frame) {
        if (frame.frame !== "pong") postFrame(base, hello, authorization, frame, onFrame, closed);
      },
      close: (code = CODE.lost) => closed(code),
    };
  },
};

async function readStream(base, hello, authorization, signal, onFrame) {
  const query = new URLSearchParams({ conversation: hello.conversation, since: String(hello.since) });
  if (hello.incarnation) query.set("incarnation", hello.incarnation);
  const answer = await fetch(`${base}/widget/sse?${query}`, { headers: { authorization, accept: "text/event-stream" }, signal, cache: "no-store" });
  if (!answer.ok || !answer.body) return closeCodeOf(answer.status);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventStreamParser();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return CODE.lost;
    for (const { event, data } of parser.push(value)) {
      if (event === "close") return JSON.parse(data).code;
      onFrame(JSON.parse(data));
    }
  }
}

async function postFrame(base, hello, authorization, frame, onFrame, closed) {
  const answered = Boolean(frame.client_id);
  let answer;
  try {
    answer = await fetch(`${base}/widget/send`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json" },
      body: JSON.stringify({ conversation: hello.conversation, ...frame }),
      keepalive: true,
    });
  } catch {
    // The stream may be alive while a POST got lost: only a fresh sync tells whether it arrived.
    if (answered) closed(CODE.lost);
    return;
  }
  if (!answered) return;
  if (answer.status >= 500 || answer.status === 401) return closed(answer.status === 401 ? CODE.badToken : CODE.lost);
  const body = await answer.json().catch(() => null);
  if (body?.frame === "ack" || body?.frame === "refused") return onFrame(body);
  if (answer.ok) return closed(CODE.lost);
  onFrame({
    frame: "refused", client_id: frame.client_id, code: body?.code ?? String(answer.status), detail: body?.detail ?? "",
    retryable: answer.status === 429, retry_after: body?.retry_after,
  });
}
