// Full-jitter reconnect: the first pause is anywhere in 0–1 s, the bound doubles up to 30 s. Spreading the first attempt too
// keeps ten thousand widgets from knocking at the same moment after a restart of the server.

export const FIRST_MS = 1000;
export const CAP_MS = 30000;
export const STABLE_MS = 10000;

export class Backoff {
  constructor(random = Math.random) {
    this.random = random;
    this.attempt = 0;
  }

  /** Milliseconds to wait before the next attempt. */
  next() {
    const bound = Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(this.attempt, 10));
    this.attempt += 1;
    return Math.floor(this.random() * bound);
  }

  reset() {
    this.attempt = 0;
  }
}
