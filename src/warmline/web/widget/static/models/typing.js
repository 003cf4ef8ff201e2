// Typing is a courtesy: told at most every 3 s while keys are pressed, taken back after 5 s of rest or with the message.

const AGAIN_MS = 3000;
const REST_MS = 5000;
export const SHOWN_MS = 8000;  // an incoming "is typing" whose end got lost fades by itself

export class TypingSignal {
  constructor({ tell, timers = globalThis, now = () => Date.now() }) {
    Object.assign(this, { tell, timers, now, toldAt: null, rest: null });
  }

  input() {
    if (this.toldAt === null || this.now() - this.toldAt >= AGAIN_MS) {
      this.toldAt = this.now();
      this.tell(true);
    }
    this.timers.clearTimeout(this.rest);
    this.rest = this.timers.setTimeout(() => this.stop(), REST_MS);
  }

  stop() {
    this.timers.clearTimeout(this.rest);
    if (this.toldAt === null) return;
    this.toldAt = null;
    this.tell(false);
  }
}
