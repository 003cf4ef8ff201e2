// Swaps the parts of the page that changed.  Forms go over fetch, so that what is being typed stays.

const transcript = () => document.getElementById("transcript");
const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 48;

function toEnd() {
  const box = transcript();
  if (box) box.scrollTop = box.scrollHeight;
}

function swap(fresh) {
  if (!document.querySelector(".composer") !== !fresh.querySelector(".composer")) {
    location.reload(); // the first conversation came, or the last one went
    return;
  }
  const box = transcript();
  const follow = !box || atEnd(box);
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next || part.isEqualNode(next)) continue;
    replace(part, next);
  }
  if (follow) toEnd();
}

function replace(part, next) {
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  const open = new Set([...part.querySelectorAll("details[open]")].map((one) => one.dataset.keep));
  const chosen = new Map([...part.querySelectorAll("select")].map((one) => [one.id, one.value]));
  const scrolled = part.scrollTop;
  part.replaceChildren(...next.childNodes);
  part.hidden = next.hidden;
  part.scrollTop = scrolled;
  for (const one of part.querySelectorAll("details")) one.open = open.has(one.dataset.keep);
  for (const one of part.querySelectorAll("select")) if (chosen.has(one.id)) one.value = chosen.get(one.id);
  if (focused) (document.getElementById(focused) ?? part).focus();
}

async function parse(answer) {
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

let wanted = false;
let fetching = false;

async function refresh() {
  wanted = true;
  if (fetching) return;
  fetching = true;
  try {
    while (wanted) {
      wanted = false;
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (answer.ok) swap(await parse(answer));
    }
  } catch {
    // the stream below tells when the simulator is back
  } finally {
    fetching = false;
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  try {
    const answer = await fetch(form.action, { method: "POST", body, redirect: "manual" });
    if (answer.status === 409) {
      replace(document.getElementById("fault"), (await parse(answer)).getElementById("fault"));
      return;
    }
    if (form.matches(".composer, .target")) form.reset();
    await refresh();
  } catch {
    say("The simulator does not answer.");
  }
});

document.addEventListener("keydown", (event) => {
  if (event.target.id === "text" && event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
});

function say(text) {
  document.getElementById("line").textContent = text;
  document.documentElement.toggleAttribute("data-away", text !== "");
}

const stream = new EventSource("/simulator/changes");
stream.addEventListener("change", refresh);
stream.addEventListener("open", () => {
  say("");
  refresh();
});
stream.addEventListener("error", () => say("The simulator does not answer."));
toEnd();
