// The rows of a conversation on the page: they come once each, in order of seq, and stay at their end while one reads there.
const NEAR_END_PX = 96;

export class Transcript {
  /** @param {HTMLElement} root the element with data-talk */
  constructor(root) {
    this.root = root;
    this.pane = root.querySelector("[data-follow-end]");
    this.log = root.querySelector("[data-transcript]");
    this.typing = root.querySelector("[data-typing]");
    this.newest = root.querySelector("[data-newest]");
    this.sending = root.querySelector("[data-sending]");
    this.visitorRead = Number(root.dataset.visitorRead ?? 0);
    this.newest.addEventListener("click", () => this.toEnd());
    this.following = true;
    this.pane.addEventListener("scroll", () => {
      this.following = this.atEnd();
      if (this.following) this.newest.hidden = true;
    });
    // A growing composer, or a phone's keyboard, must not push the latest words out of sight.
    new ResizeObserver(() => this.following && this.toEnd()).observe(this.pane);
    // Nor must a picture that is there only now.
    this.log.addEventListener("load", () => this.following && this.toEnd(), true);
    this.toEnd();
    this.showSeen();
  }

  atEnd() {
    return this.pane.scrollHeight - this.pane.scrollTop - this.pane.clientHeight < NEAR_END_PX;
  }

  toEnd() {
    this.pane.scrollTop = this.pane.scrollHeight;
    this.newest.hidden = true;
  }

  /** @param {{seq: number, type: string, author: string, html: string}} event */
  add(event) {
    if (event.type === "skip" || this.log.querySelector(`.entry[data-seq="${event.seq}"]`)) return;
    const follow = this.atEnd();
    const row = this.#parse(event.html);
    const mine = event.author && event.author === this.root.dataset.member ? this.#pendingLike(row) : null;
    if (mine) mine.replaceWith(row);
    else this.log.insertBefore(row, this.log.querySelector(".entry.pending"));
    this.#mark(row);
    if (follow) this.toEnd();
    else this.newest.hidden = false;
  }

  replace(events) {
    const pending = [...this.log.querySelectorAll(".entry.pending")];
    this.log.replaceChildren(...events.filter((event) => event.html).map((event) => this.#parse(event.html)), ...pending);
    this.#settle();
    this.toEnd();
  }

  /** A message that is on its way; `again` is called when its sender wants to try once more. */
  addSending(text, clientId, again, files = []) {
    const row = this.sending.content.firstElementChild.cloneNode(true);
    row.dataset.client = clientId;
    row.querySelector(".message").id = `message-${clientId}`;
    const bubble = row.querySelector(".bubble");
    bubble.textContent = text;
    bubble.hidden = !text;
    for (const file of files) {
      const card = document.createElement("span");
      card.className = "file-card";
      card.textContent = file.name;
      bubble.parentElement.append(card);
    }
    row.addEventListener("click", (event) => {
      if (event.target.closest("[data-again]")) again();
    });
    this.log.append(row);
    this.toEnd();
    return row;
  }

  setSending(row, state, text) {
    const message = row.querySelector(".message");
    message.classList.toggle("sending", state === "sending");
    message.classList.toggle("failed", state === "failed");
    row.classList.toggle("failed", state === "failed");
    row.querySelector("[data-again]")?.remove();
    message.querySelector(".meta > span:last-child").textContent = text;
    if (state !== "failed") return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "again";
    button.dataset.again = "";
    button.textContent = "Try again";
    message.querySelector(".meta").append(button);
  }

  /** The server has it as `seq`; the stream brings the row itself, or has brought it already. */
  confirm(row, seq) {
    row.dataset.sent = String(seq);
    if (this.log.querySelector(`.entry[data-seq="${seq}"]`)) row.remove();
    else this.setSending(row, "sent", "Sent");
  }

  setTyping(on) {
    const follow = this.atEnd();
    this.typing.hidden = !on;
    if (follow) this.toEnd();
  }

  setVisitorRead(seq) {
    this.visitorRead = Math.max(this.visitorRead, seq);
    this.showSeen();
  }

  showSeen() {
    this.log.querySelectorAll(".seen").forEach((sign) => sign.remove());
    const read = [...this.log.querySelectorAll(".entry[data-seq]:has(> .message.mine)")].filter(
      (row) => Number(row.dataset.seq) <= this.visitorRead,
    );
    const meta = read.at(-1)?.querySelector(".meta");
    if (!meta) return;
    const sign = document.createElement("span");
    sign.className = "seen";
    sign.textContent = "Seen";
    meta.append(sign);
  }

  #parse(html) {
    const template = document.createElement("template");
    template.innerHTML = html; // rendered and escaped by the server
    return template.content.firstElementChild;
  }

  #pendingLike(row) {
    const text = row.querySelector(".bubble")?.textContent;
    return [...this.log.querySelectorAll(".entry.pending")].find(
      (pending) =>
        pending.dataset.sent === row.dataset.seq ||
        (!pending.dataset.sent && pending.querySelector(".bubble").textContent === text),
    );
  }

  #mark(row) {
    if (row.dataset.resent) this.log.querySelector(`[data-parked="${CSS.escape(row.dataset.resent)}"]`)?.remove();
    if (row.querySelector(".message.mine")) this.showSeen();
    this.#settle(row);
  }

  #settle(row = this.log) {
    globalThis.htmx?.process(row); // lets times.js and htmx see what is new
    row.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true }));
  }
}
