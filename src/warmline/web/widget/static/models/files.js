// Files on their way into a message: uploaded as soon as they are chosen, each with its progress; the message names those that
// have arrived. Knows nothing of the page: `post` sends one file, and tells how far it is.

export const MOST_FILES = 10;
const REASONS = { file_too_large: "too_large", file_type_refused: "refused", file_refused: "refused", file_empty: "empty", files_off: "refused", too_many_files: "too_many" };

export class Files {
  /** post(file, {onProgress, onDone(answer), onError({code})}) -> abort(). preview(file) -> address of a picture, or null. */
  constructor({ post, newId, onChange, preview = () => null, release = () => {} }) {
    Object.assign(this, { post, newId, onChange, preview, release, limit: 0, items: [], previews: new Map() });
  }

  /** Take files; what cannot be sent says why instead. */
  add(files) {
    for (const file of files) {
      const item = { key: this.newId(), file, name: file.name || "file", size: file.size, part: 0, state: "uploading", picture: null };
      const reason = this.items.length >= MOST_FILES ? "too_many" : file.size > this.limit ? "too_large" : file.size === 0 ? "empty" : null;
      this.items = [...this.items, item];
      if (reason) this.#fail(item, reason);
      else this.#upload(item);
    }
    this.onChange();
  }

  retry(key) {
    const item = this.#find(key);
    if (item?.state === "failed") this.#upload(item);
    this.onChange();
  }

  /** Take a file out again, also one that is still on its way. */
  remove(key) {
    const item = this.#find(key);
    if (!item) return;
    item.abort?.();
    if (item.picture) this.release(item.picture);
    this.items = this.items.filter((one) => one !== item);
    this.onChange();
  }

  /** Another conversation has begun: what was uploaded for the one before does not belong to it. */
  clear() {
    for (const item of [...this.items]) this.remove(item.key);
  }

  get uploading() {
    return this.items.some((item) => item.state === "uploading");
  }

  get ready() {
    return this.items.filter((item) => item.state === "ready");
  }

  /** Hand over what has arrived, for a message: what the server knows of each file. Their pictures stay for the log. */
  take() {
    const ready = this.ready;
    for (const item of ready) if (item.picture) this.previews.set(item.stored.id, item.picture);
    this.items = this.items.filter((item) => item.state !== "ready");
    this.onChange();
    return ready.map((item) => item.stored);
  }

  #find(key) {
    return this.items.find((item) => item.key === key);
  }

  #upload(item) {
    Object.assign(item, { state: "uploading", part: 0, reason: null });
    item.picture ??= this.preview(item.file);
    item.abort = this.post(item.file, {
      onProgress: (part) => { item.part = part; this.onChange(); },
      onDone: (stored) => { Object.assign(item, { stored, state: "ready", part: 1, abort: null, file: null }); this.onChange(); },
      onError: ({ code }) => { this.#fail(item, REASONS[code] ?? "failed"); this.onChange(); },
    });
  }

  #fail(item, reason) {
    Object.assign(item, { state: "failed", reason, abort: null });
  }
}

/** Send one file with progress. `fetch` cannot tell how far an upload is, so this is XMLHttpRequest. */
export function postFile({ base, token, conversation }, file, { onProgress, onDone, onError }) {
  const request = new XMLHttpRequest();
  request.open("POST", `${base}/widget/files?conversation=${encodeURIComponent(conversation)}`);
  request.setRequestHeader("authorization", `Bearer ${token}`);
  request.setRequestHeader("content-type", "application/octet-stream");
  request.setRequestHeader("x-file-name", encodedName(file.name || "file"));
  request.responseType = "json";
  request.upload.onprogress = (event) => { if (event.lengthComputable) onProgress(event.loaded / event.total); };
  request.onload = () => (request.status === 201 && request.response ? onDone(request.response) : onError({ code: request.response?.code ?? "" }));
  request.onerror = () => onError({ code: "" });
  request.send(file);
  return () => { request.onload = request.onerror = null; request.abort(); };
}

function encodedName(name) {
  try {
    return encodeURIComponent(name);
  } catch {
    return "file";  // half of a character: some systems allow such names
  }
}

const PICTURES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"]);
export const isPicture = (type) => PICTURES.has(type);

/** Whether a link that carries its end as `expires` (seconds) still works for a while. */
export const isFresh = (url, now = Date.now()) => Number(new URLSearchParams(url.split("?")[1]).get("expires")) * 1000 > now + 10000;
