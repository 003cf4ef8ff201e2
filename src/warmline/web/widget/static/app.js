// The chat inside the iframe: reads what the server wrote on <body>, opens the session, shows the panel, and keeps host page,
// browser events and chat in step.

import { Backoff } from "./models/backoff.js";
import { grantedStorage, MapStorage, newId } from "./models/browser.js";
import { Chat } from "./models/chat.js";
import { unreadCount } from "./models/conversation.js";
import { Files, isFresh, isPicture, postFile } from "./models/files.js";
import { HostBridge, pageOf } from "./models/hostbridge.js";
import { Session } from "./models/session.js";
import { Texts } from "./models/texts.js";
import { eventStreamTransport, webSocketTransport } from "./models/transports.js";
import { Panel } from "./views/panel.js";

const { widget, base, origin } = document.body.dataset;
let panel = null, page = null, isOpen = false, unread = 0, scheduled = false, focusWanted = false, beginning = false;

const bridge = new HostBridge({
  origin,
  onPage: (given) => { page = given; },
  onOpen: (still) => { isOpen = true; focusWanted = !still; begin(); schedule(); },
  onClose: () => { isOpen = false; schedule(); },
  onStored: (key, value) => chat.heard(key, value),
});
const granted = grantedStorage("localStorage");
const storage = granted ?? await bridge.hostStorage();
const drafts = grantedStorage("sessionStorage") ?? new MapStorage();
const session = new Session({ base, widget, storage, locks: granted && navigator.locks });
const memory = {
  get: () => { try { return JSON.parse(drafts.getItem(session.key("line"))); } catch { return null; } },
  set: (tried) => { try { drafts.setItem(session.key("line"), JSON.stringify(tried)); } catch { /* this page only, then */ } },
};
const chat = new Chat({
  memory, base, session, storage, newId, transports: [webSocketTransport, eventStreamTransport], isOnline: () => navigator.onLine,
  onChange: () => schedule(), onEvent: (name, detail) => bridge.tell("event", { name, detail }),
});

const pictures = globalThis.URL?.createObjectURL ? {
  preview: (file) => (isPicture(file.type) ? URL.createObjectURL(file) : null), release: (address) => URL.revokeObjectURL(address),
} : {};
const files = new Files({
  newId, onChange: () => schedule(), ...pictures,
  post: (file, on) => postFile({ base, token: session.token, conversation: chat.state.conversation }, file, on),
});
const links = {
  href: (path) => base + path, preview: (id) => files.previews.get(id) ?? null,
  fresh: Object.assign((id) => session.fileLink(chat.state.conversation, id), { isFresh }),
};

function ownPage() {
  return pageOf({
    userAgent: navigator.userAgent, screenRes: `${screen.width}x${screen.height}`, language: navigator.language,
    url: location.href, referrer: document.referrer, title: document.title,
  });
}

// One drawing per frame at most; a hidden tab or panel gets no frames, so it draws by timer to keep the unread count true.
function schedule() {
  if (scheduled) return;
  scheduled = true;
  const draw = () => { scheduled = false; show(); };
  if (document.hidden || !isOpen) setTimeout(draw, 50);
  else requestAnimationFrame(draw);
}

function show() {
  if (!panel) return;
  if (isOpen && !document.hidden && panel.log.atEnd && chat.state.synced) chat.markRead();
  panel.update();
  if (isOpen && focusWanted && (chat.state.synced || chat.state.conversation)) {
    focusWanted = false;
    panel.focus();
  }
  const count = isOpen && !document.hidden ? 0 : unreadCount(chat.state);
  if (count !== unread) bridge.tell("unread", { count: unread = count });
}

/** Try until it works: `attempt` is repeated with the same pauses as the live line, and the banner tells about it. */
async function persist(attempt) {
  const backoff = new Backoff();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof TypeError) && error.status === undefined) throw error;  // fetch reports a broken line as TypeError
      if (error.status >= 400 && error.status < 500 && error.status !== 429 && error.status !== 408) throw error;
      tell(navigator.onLine ? "reconnecting" : "offline");
      await new Promise((done) => {
        const timer = setTimeout(done, 500 + backoff.next());
        addEventListener("online", () => { clearTimeout(timer); done(); }, { once: true });
      });
    }
  }
}

function tell(status) {
  chat.status = status;
  if (panel) schedule();
  else if (status !== "idle") document.getElementById("boot").classList.add("slow");
}

async function begin({ afresh = false } = {}) {
  if (!panel || beginning || (chat.state.conversation && !afresh)) return;
  beginning = true;
  try {
    await persist(() => chat.begin(page ?? ownPage(), { afresh }));
  } catch {
    tell("final");
  } finally {
    beginning = false;
  }
}

async function start() {
  try {
    await persist(() => session.start());
  } catch {
    document.getElementById("boot").classList.add("failed");
    return;
  }
  const { config } = session;
  document.documentElement.lang = config.language;
  document.documentElement.dir = config.dir;
  if (config.accent) {
    document.documentElement.style.setProperty("--accent", config.accent);
    document.documentElement.classList.add("tinted");
  }
  const texts = new Texts(config.texts, config.language);
  files.limit = config.max_file_bytes ?? 0;
  panel = new Panel({
    texts, config, chat, files, links, onClose: () => bridge.tell("close"), onSeen: () => schedule(),
    draft: { get: () => drafts.getItem(session.key("draft")) ?? "", set: (text) => drafts.setItem(session.key("draft"), text) },
    onAgain: () => { focusWanted = true; begin({ afresh: true }); },
    onRetry: () => (chat.status === "final" ? location.reload() : chat.line.retryNow()),
  });
  document.getElementById("boot").replaceWith(panel.node);
  tell("idle");
  if (session.conversation) {
    panel.log.hush();  // all of it was heard before
    chat.enter(session.conversation);
  }
  if (isOpen) begin();
  schedule();
  bridge.tell("ready", { title: texts.t("launcher.title"), accent: config.accent, conversation: Boolean(session.conversation) });
}

addEventListener("online", () => chat.line.retryNow());
addEventListener("offline", () => chat.line.networkLost());
addEventListener("storage", (event) => chat.heard(event.key, event.newValue));
addEventListener("pagehide", () => chat.line.stop());
addEventListener("pageshow", (event) => { if (event.persisted && chat.state.conversation) chat.line.start(); });
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) chat.line.wake();
  schedule();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing && panel && !panel.escape()) bridge.tell("close");
});
if (!bridge.window) isOpen = focusWanted = true;  // shown as a page of its own
start();
