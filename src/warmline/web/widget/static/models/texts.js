// UI texts come from the server as one flat table; a plural entry is an object of CLDR categories. {name} is filled in.

export class Texts {
  constructor(table, language) {
    this.table = table;
    this.language = language;
    this.plurals = new Intl.PluralRules(language);
    this.numbers = new Intl.NumberFormat(language);
    this.clock = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" });
    this.date = new Intl.DateTimeFormat(language, { weekday: "long", day: "numeric", month: "long" });
  }

  /** The text of a key; `count` chooses the plural form and is filled in as a localised number. */
  t = (key, values = {}) => {
    let entry = this.table[key] ?? key;
    if (typeof entry === "object") entry = entry[this.plurals.select(values.count)] ?? entry.other;
    return entry.replace(/\{(\w+)\}/g, (whole, name) => {
      const value = values[name];
      return value === undefined || value === null ? whole : typeof value === "number" ? this.numbers.format(value) : value;
    });
  };

  /** 3400000 → "3.4 MB". */
  size(bytes) {
    const [unit, by] = bytes < 1000 ? ["byte", 1] : bytes < 1e6 ? ["kilobyte", 1e3] : ["megabyte", 1e6];
    return new Intl.NumberFormat(this.language, { style: "unit", unit, unitDisplay: unit === "byte" ? "long" : "short", maximumFractionDigits: 1 }).format(bytes / by);
  }

  time = (at) => this.clock.format(new Date(at));

  day(at, now = new Date()) {
    const days = Math.round((new Date(now).setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86400000);
    return days === 0 ? this.t("day.today") : days === 1 ? this.t("day.yesterday") : this.date.format(new Date(at));
  }
}
