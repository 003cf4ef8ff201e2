// A way to be reached when nobody is there: name, e-mail, phone, and what it is about. One of e-mail and phone is needed.

import { h } from "./dom.js";

const FIELDS = [
  ["name", { type: "text", autocomplete: "name", maxlength: 200 }],
  ["email", { type: "email", autocomplete: "email", maxlength: 254, dir: "ltr" }],
  ["phone", { type: "tel", autocomplete: "tel", maxlength: 40, dir: "ltr" }],
];

export class ContactForm {
  constructor({ texts, onSend, onCancel }) {
    const { t } = texts;
    Object.assign(this, { t, onSend, onCancel, fields: {} });
    const rows = FIELDS.map(([name, attributes]) => this.#row(name, h("input", { id: `contact-${name}`, name, ...attributes })));
    rows.push(this.#row("text", h("textarea", { id: "contact-text", name: "text", rows: 2, maxlength: 2000, dir: "auto" })));
    this.error = h("p", { class: "trouble", id: "contact-error", role: "alert" });
    this.send = h("button", { class: "button primary", type: "submit" }, t("contact.send"));
    this.node = h("form", { class: "card contact", novalidate: true, hidden: true, "aria-labelledby": "contact-title", onsubmit: (event) => this.#submit(event) },
      h("h2", { class: "card-title", id: "contact-title" }, t("contact.title")), h("p", { class: "card-note" }, t("contact.intro")),
      h("div", { class: "fields" }, ...rows), this.error,
      h("div", { class: "actions" }, this.send, h("button", { class: "link", type: "button", onclick: onCancel }, t("contact.cancel"))));
  }

  /** pending: on its way; failed: the server refused it. */
  update({ pending, failed }) {
    this.send.setAttribute("aria-disabled", String(pending));
    this.send.textContent = this.t(pending ? "contact.sending" : "contact.send");
    if (failed) this.error.textContent = this.t("contact.failed");
  }

  #row(name, field) {
    this.fields[name] = field;
    return h("div", { class: `field field-${name}` }, h("label", { for: `contact-${name}` }, this.t(`contact.${name}`)), field);
  }

  #submit(event) {
    event.preventDefault();
    const values = Object.fromEntries(Object.entries(this.fields).map(([name, field]) => [name, field.value.trim()]));
    const wrong = !values.email && !values.phone ? "need_one" : values.email && !/^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(values.email) ? "bad_email" : null;
    this.error.textContent = wrong ? this.t(`contact.${wrong}`) : "";
    for (const name of ["email", "phone"]) {
      const bad = wrong === "need_one" || (wrong === "bad_email" && name === "email");
      this.fields[name].toggleAttribute("aria-invalid", false);
      if (bad) this.fields[name].setAttribute("aria-invalid", "true");
      this.fields[name].setAttribute("aria-describedby", "contact-error");
    }
    if (wrong) this.fields.email.focus();
    else this.onSend(values);
  }
}
