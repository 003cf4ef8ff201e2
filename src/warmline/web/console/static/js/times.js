// <time datetime data-relative>: "3 min" instead of a date, kept true while the page is open.
const UNITS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];
const EVERY_MS = 30000;

/** @param {Document} root */
export function connectTimes(root) {
  const language = root.documentElement.lang || undefined;
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
  const full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  const update = () => {
    for (const time of root.querySelectorAll("time[data-relative]")) {
      const moment = new Date(time.dateTime);
      time.textContent = describe(moment, relative);
      time.title = full.format(moment);
    }
  };
  update();
  setInterval(update, EVERY_MS);
  root.addEventListener("htmx:load", update);
}

function describe(moment, relative) {
  const seconds = (moment.getTime() - Date.now()) / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  }
  return "now";
}
