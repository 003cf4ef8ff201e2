// Files of the answer that is being written: chosen, pasted or dropped, uploaded at once, each with its progress.
import { token } from "./console_post.js";

const MOST = 10;

export class FileTray {
  #items = [];
  #over = 0;

  /** @param {HTMLElement} root the element with data-talk @param {string} id the conversation */
  constructor(root, id, signal) {
    this.root = root;
    this.id = id;
    const foot = root.querySelector("#talk-foot");
    const place = foot.parentElement;
    const on = (node, name, handler) => node.addEventListener(name, handler, { signal });
    on(foot, "click", (event) => this.#click(event));
    on(foot, "change", (event) => this.#change(event));
    on(foot, "paste", (event) => this.#paste(event));
    on(place, "dragenter", (event) => this.#drag(event, 1));
    on(place, "dragleave", (event) => this.#drag(event, -1));
    on(place, "dragover", (event) => this.#wanted(event) && event.preventDefault());
    on(place, "drop", (event) => this.#drop(event, place));
  }

  get uploading() {
    return this.#items.some((item) => item.state === "uploading");
  }

  get isEmpty() {
    return !this.#items.length;
  }

  /** Whether something that was chosen could not be sent and is still in the tray. */
  get hasFailed() {
    return this.#items.some((item) => item.state === "failed");
  }

  /** What has arrived, for the next message. */
  take() {
    const ready = this.#items.filter((item) => item.state === "ready").map((item) => item.stored);
    this.#items = this.#items.filter((item) => item.state !== "ready");
    this.draw();
    return ready;
  }

  /** Show the tray in the composer that is on the page now. */
  draw() {
    const form = this.#form();
    if (!form) return;
    const tray = form.querySelector("[data-tray]");
    tray.hidden = this.isEmpty;
    tray.replaceChildren(...this.#items.map((item) => this.#row(item)));
    form.elements.text.required = this.isEmpty;
    form.toggleAttribute("data-has-files", !this.isEmpty);
  }

  #form() {
    return this.root.querySelector("#talk-foot [data-composer][data-files]");
  }

  #add(files) {
    const limit = Number(this.#form().dataset.files);
    for (const file of files) {
      const item = { name: file.name || "file", part: 0, state: "failed", reason: "" };
      this.#items.push(item);
      if (this.#items.length > MOST) item.reason = `A message has at most ${MOST} files.`;
      else if (file.size > limit) item.reason = `Too large: at most ${sizeText(limit)}.`;
      else if (!file.size) item.reason = "The file is empty.";
      else this.#upload(item, file);
    }
    this.draw();
    this.#form().elements.text.focus();
  }

  #upload(item, file) {
    const request = new XMLHttpRequest();
    item.state = "uploading";
    item.abort = () => request.abort();
    request.open("POST", `/console/desk/${this.id}/files`);
    request.setRequestHeader("x-csrf-token", token());
    request.setRequestHeader("accept", "application/json");
    request.setRequestHeader("content-type", "application/octet-stream");
    request.setRequestHeader("x-file-name", encodeURIComponent(item.name));
    request.responseType = "json";
    request.upload.onprogress = (event) => {
      item.part = event.lengthComputable ? event.loaded / event.total : 0;
      if (item.bar) item.bar.value = item.part;
    };
    request.onload = () => {
      if (request.status === 201 && request.response?.id) Object.assign(item, { state: "ready", stored: request.response });
      else Object.assign(item, { state: "failed", reason: request.response?.detail ?? "Not sent: you may have been signed out." });
      this.#settled(item);
    };
    request.onerror = () => {
      Object.assign(item, { state: "failed", reason: "Not sent: no connection." });
      this.#settled(item);
    };
    request.send(file);
  }

  #settled(item) {
    this.draw();
    const said = this.root.querySelector("[data-say]");
    if (said) said.textContent = item.state === "ready" ? `${item.name} is attached.` : `${item.name}: ${item.reason}`;
    this.onSettled?.();
  }

  #row(item) {
    const row = document.createElement("li");
    row.className = `tray-file ${item.state}`;
    const name = document.createElement("span");
    name.className = "file-name";
    name.dir = "auto";
    name.textContent = item.name;
    const note = document.createElement("span");
    note.className = "file-size";
    if (item.state === "uploading") {
      item.bar = document.createElement("progress");
      item.bar.value = item.part;
      item.bar.setAttribute("aria-label", `Uploading ${item.name}`);
      note.append(item.bar);
    } else {
      note.textContent = item.state === "ready" ? sizeText(item.stored.size) : item.reason;
    }
    const out = document.createElement("button");
    out.type = "button";
    out.className = "tray-out";
    out.textContent = "×";
    out.title = `Remove ${item.name}`;
    out.setAttribute("aria-label", out.title);
    out.addEventListener("click", () => this.#remove(item));
    row.append(name, note, out);
    return row;
  }

  #remove(item) {
    item.abort?.();
    this.#items = this.#items.filter((one) => one !== item);
    this.draw();
    this.#form()?.elements.text.focus();
  }

  #click(event) {
    if (event.target.closest("[data-attach]")) this.#form()?.querySelector("input[type=file]").click();
  }

  #change(event) {
    if (event.target.type !== "file") return;
    this.#add(event.target.files);
    event.target.value = "";
  }

  #paste(event) {
    const files = event.clipboardData?.files;
    // Office programs put a picture of the text beside the text: then the text is what was meant.
    if (!this.#form() || !files?.length || event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    this.#add(files);
  }

  #wanted(event) {
    return Boolean(this.#form() && event.dataTransfer?.types.includes("Files"));
  }

  #drag(event, step) {
    if (!this.#wanted(event)) return;
    event.preventDefault();
    this.#over = Math.max(0, this.#over + step);
    event.currentTarget.toggleAttribute("data-drop", this.#over > 0);
  }

  #drop(event, place) {
    if (!this.#wanted(event)) return;
    event.preventDefault();
    this.#over = 0;
    place.removeAttribute("data-drop");
    this.#add(event.dataTransfer.files);
  }
}

/** 3400000 → "3.4 MB". */
export function sizeText(bytes) {
  if (bytes < 1000) return `${bytes} bytes`;
  const [unit, by] = bytes < 1e6 ? ["KB", 1e3] : ["MB", 1e6];
  return `${Number((bytes / by).toFixed(1))} ${unit}`;
}
