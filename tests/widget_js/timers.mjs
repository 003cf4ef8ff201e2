// Timers that move by hand.
export class Timers {
  constructor() { Object.assign(this, { at: 0, id: 0, due: new Map() }); }
  setTimeout = (fn, ms) => { this.id += 1; this.due.set(this.id, { at: this.at + ms, fn }); return this.id; };
  clearTimeout = (id) => { this.due.delete(id); };
  now = () => this.at;
  advance(ms) {
    const end = this.at + ms;
    for (;;) {
      const next = [...this.due.entries()].filter(([, one]) => one.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!next) break;
      this.at = next[1].at;
      this.due.delete(next[0]);
      next[1].fn();
    }
    this.at = end;
  }
}
