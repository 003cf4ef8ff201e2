// What a browser may or may not grant: storage can be forbidden in frames, and crypto.randomUUID exists only on secure origins.

/** localStorage or sessionStorage if it may be used, else null: browsers that block third-party data refuse it to a foreign frame. */
export function grantedStorage(name, scope = globalThis) {
  try {
    const storage = scope[name];
    storage.setItem("warmline:probe", "1");
    storage.removeItem("warmline:probe");
    return storage;
  } catch {
    return null;
  }
}

/** The storage interface over a map; `onWrite(key, value|null)` hears of every change. */
export class MapStorage {
  constructor(values = {}, onWrite = () => {}) {
    this.values = new Map(Object.entries(values));
    this.onWrite = onWrite;
  }

  getItem(key) {
    return this.values.get(key) ?? null;
  }

  setItem(key, value) {
    this.values.set(key, String(value));
    this.onWrite(key, String(value));
  }

  removeItem(key) {
    this.values.delete(key);
    this.onWrite(key, null);
  }
}

/** 128 random bits as 32 hex digits: a client id. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
