// What the agent sends: shown at once, sent one after the other so that the order stays, repeated under the same id.
import { newClientId, post } from "./console_post.js";

const TRIES = 4;
const PAUSE_MS = 700;

export class Outbox {
  #queue = Promise.resolve();

  /** @param {string} path @param {import("./transcript.js").Transcript} transcript */
  constructor(path, transcript) {
    this.path = path;
    this.transcript = transcript;
  }

  /** @param {string} text @param {{id: string, name: string, size: number}[]} files */
  send(text, files = []) {
    const fields = { text, client_id: newClientId(), attachments: files.map((file) => file.id).join(",") };
    const row = this.transcript.addSending(text, fields.client_id, () => this.#enqueue(row, fields), files);
    this.#enqueue(row, fields);
  }

  #enqueue(row, fields) {
    this.transcript.setSending(row, "sending", "Sending…");
    this.#queue = this.#queue.then(() => this.#deliver(row, fields));
  }

  async #deliver(row, fields) {
    for (let attempt = 1; row.isConnected; attempt += 1) {
      const answer = await attemptTo(this.path, fields);
      if (answer.seq) return this.transcript.confirm(row, answer.seq);
      if (!answer.retryable || attempt === TRIES) {
        return this.transcript.setSending(row, "failed", answer.detail || "Not sent.");
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * 2 ** attempt));
    }
  }
}

async function attemptTo(path, fields) {
  try {
    const answer = await post(path, fields);
    if (answer.headers.get("content-type")?.startsWith("application/json")) return await answer.json();
    return { retryable: answer.status >= 500, detail: "Not sent: you may have been signed out." };
  } catch {
    return { retryable: true, detail: "Not sent: no connection." };
  }
}
