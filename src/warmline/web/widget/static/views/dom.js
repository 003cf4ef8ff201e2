// The few lines of DOM building everything here uses. Text is always set as text; there is no way to pass markup.

/** h("button", {class, type, onclick, aria-label, …}, ...children): children are nodes, strings or nothing. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value") node.value = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

const PATHS = {
  close: "m7 10 5 5 5-5",
  leave: "M14 7V5.500A1.500 1.500 0 0 0 12.500 4h-6A1.500 1.500 0 0 0 5 5.500v13A1.500 1.500 0 0 0 6.500 20h6a1.500 1.500 0 0 0 1.500-1.500V17M10 12h10m-3-3 3 3-3 3",
  send: "M12 19V5.500m-5.500 5.500L12 5.500l5.500 5.500",
  down: "M12 5v13m-5.500-5.500L12 18l5.500-5.500",
  out: "M9 6.500h8.500V15M17 7 7 17",
  clip: "m19.5 11.5-7.6 7.6a4.7 4.7 0 0 1-6.7-6.7l8-8a3.2 3.2 0 0 1 4.5 4.5l-7.8 7.8a1.6 1.6 0 0 1-2.3-2.3l7-7",
  cross: "m7 7 10 10M17 7 7 17",
  file: "M13.5 3.5H7A1.5 1.5 0 0 0 5.5 5v14A1.5 1.5 0 0 0 7 20.5h10a1.5 1.5 0 0 0 1.5-1.5V8.5zM13.5 3.5v5h5",
  spark: "M4 13.500c2.600-4 5-4 7-.800s4.400 3.200 6.400 0c.900-1.500 1.700-2.200 2.600-2.700",
};

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon icon-${name}`);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A round picture of a person, their initial, or the bot's mark. */
export function avatar({ kind, name, avatar: url }) {
  const box = h("span", { class: `avatar avatar-${kind}`, "aria-hidden": "true" });
  const initial = (name ?? "").trim().charAt(0).toUpperCase();
  const fallback = () => box.replaceChildren(kind === "agent" && initial ? initial : icon("spark"));
  if (kind === "agent" && /^https?:\/\//i.test(url ?? "")) {
    const image = h("img", { src: url, alt: "", width: 32, height: 32, referrerpolicy: "no-referrer", loading: "lazy" });
    image.addEventListener("error", fallback);
    box.append(image);
  } else {
    fallback();
  }
  return box;
}

/** Make `parent`'s children those of `rows`, in order, keeping the nodes of known keys: build(row) -> {node, update(row)}. */
export function reconcile(parent, known, rows, build) {
  const wanted = new Set(rows.map((row) => row.key));
  for (const [key, view] of known) {
    if (!wanted.has(key)) {
      view.node.remove();
      known.delete(key);
    }
  }
  let place = parent.firstChild;
  for (const row of rows) {
    let view = known.get(row.key);
    if (!view) {
      view = build(row);
      known.set(row.key, view);
    }
    view.update(row);
    if (view.node === place) place = place.nextSibling;
    else parent.insertBefore(view.node, place);
  }
}
