// What a browser may or may not grant: storage can be forbidden in frames, and crypto.randomUUID exists only on secure origins.

/** The named storage if it works, else a memory that lives as long as the page. */
export function storageOrMemory(name, scope = globalThis) {
  try {
    const storage = scope[name];
    storage.setItem("warmline:probe", "1");
    storage.removeItem("warmline:probe");
    return storage;
  } catch {
    const values = new Map();
    return { getItem: (key) => values.get(key) ?? null, setItem: (key, value) => { values.set(key, String(value)); }, removeItem: (key) => { values.delete(key); } };
  }
}

/** 128 random bits as 32 hex digits: a client id. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
