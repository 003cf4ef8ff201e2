// The page's event stream.  The browser resumes a break by Last-Event-ID; where it gives up, we begin again from the
// last seq we have, so that after any break the journal fills the hole: nothing twice, nothing missing.
const QUIET_MS = 65000; // the server pings every 25 s
const SLOWEST_MS = 15000;
const FINAL = 4500;

export class ConversationStream {
  #source = null;
  #timer = 0;
  #watchdog = 0;
  #tries = 0;

  /**
   * @param {{conversation: string, incarnation: string, since: number, board: boolean}} position
   * @param {{frame: (frame: object) => void, state: (state: "open" | "lost" | "over") => void}} on
   */
  constructor(position, on) {
    this.position = position;
    this.on = on;
  }

  open() {
    this.#release();
    const query = new URLSearchParams();
    if (this.position.board) query.set("board", "1");
    if (this.position.conversation) {
      query.set("conversation", this.position.conversation);
      query.set("incarnation", this.position.incarnation);
      query.set("since", String(this.position.since));
    }
    const source = new EventSource(`/console/stream?${query}`);
    this.#source = source;
    source.onopen = () => this.#heard(true);
    source.onmessage = (event) => {
      this.#heard(true);
      this.#receive(JSON.parse(event.data));
    };
    source.addEventListener("close", (event) => {
      if (JSON.parse(event.data).code >= FINAL) return this.close("over");
      this.#again();
    });
    source.onerror = () => {
      this.on.state("lost");
      if (source.readyState === EventSource.CLOSED) this.#again();
    };
    this.#heard(false);
  }

  close(state) {
    this.#release();
    if (state) this.on.state(state);
  }

  #receive(frame) {
    if (frame.frame === "event") {
      const { seq, to = seq } = frame.event;
      if (to <= this.position.since) return;
      if (seq > this.position.since + 1) return this.#again(); // a hole: resume from what we have
      this.position.since = to;
    } else if (frame.frame === "sync") {
      this.position.since = frame.seq;
      this.position.incarnation = frame.incarnation;
    } else if (frame.frame === "ping" && this.position.conversation && frame.seq > this.position.since) {
      return this.#again();
    }
    this.on.frame(frame);
  }

  #heard(alive) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#again(), QUIET_MS);
    if (!alive) return;
    this.#tries = 0;
    this.on.state("open");
  }

  #again() {
    this.#release();
    const pause = Math.min(SLOWEST_MS, 400 * 2 ** this.#tries++) * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.#reopen(), pause);
  }

  async #reopen() {
    // An EventSource cannot tell why it was refused: somebody whose session has ended shall see the door.
    if (this.#tries > 1 && (await signedOut())) return location.reload();
    this.open();
  }

  #release() {
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    this.#source?.close();
    this.#source = null;
  }
}

async function signedOut() {
  try {
    const answer = await fetch("/console/account", { redirect: "manual" });
    return answer.type === "opaqueredirect";
  } catch {
    return false; // no server at all: go on trying
  }
}
