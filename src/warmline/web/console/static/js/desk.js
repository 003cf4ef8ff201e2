// The desk: the board that follows the queue, the open conversation, and the keyboard.
import { Talk } from "./talk.js";
import { createChime } from "./chime.js";
import { connectKeys } from "./desk_keys.js";

const TITLE = "Desk · Warmline";
const chime = createChime();
let talk = null;
let waiting = null;
let ahead = 0; // how far the server's clock is ahead of this one

function frameElement() {
  return document.querySelector("[data-desk]");
}

function connect() {
  const root = frameElement();
  if (!root || talk?.root === root) return;
  if (talk) document.querySelectorAll(".main > .flash").forEach((flash) => flash.remove()); // it was about the other one
  talk?.close();
  ahead = Number(root.dataset.now) - Date.now();
  talk = new Talk(root, showBoard);
  setWaiting(Number(root.dataset.waiting));
  chime.show(root.querySelector("[data-sound]"));
  markCurrent(root);
  tick();
}

function showBoard(frame) {
  const root = frameElement();
  const board = root.querySelector("#desk-board");
  const focused = board.contains(document.activeElement) ? document.activeElement.id : "";
  board.innerHTML = frame.html; // rendered and escaped by the server
  globalThis.htmx?.process(board);
  board.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true }));
  if (focused) document.getElementById(focused)?.focus();
  ahead = frame.now - Date.now();
  if (waiting !== null && frame.waiting > waiting) {
    root.querySelector("[data-board-say]").textContent = `${frame.waiting} waiting`;
    chime.play();
  }
  setWaiting(frame.waiting);
  markCurrent(root);
  tick();
}

function setWaiting(count) {
  waiting = count;
  document.title = count ? `(${count}) ${TITLE}` : TITLE;
}

function markCurrent(root) {
  for (const row of root.querySelectorAll("[data-conversation]")) {
    if (row.dataset.conversation === root.dataset.talk) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
  }
}

function tick() {
  for (const time of document.querySelectorAll("[data-waiting-since]")) {
    const seconds = Math.max(0, Math.floor((Date.now() + ahead - Number(time.dataset.waitingSince)) / 1000));
    time.textContent = asDuration(seconds);
  }
}

function asDuration(seconds) {
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  const rest = String(seconds % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-sound]");
  if (button) chime.toggle(button);
});
document.addEventListener("htmx:afterSettle", connect);
document.addEventListener("htmx:historyRestore", connect);
connectKeys(document);
setInterval(tick, 1000);
connect();
