/* Warmline loader: <script src="{base}/widget/loader.js" data-widget="{id}" async></script>
 *
 * Puts a launcher on the host page and, when it is first opened, an iframe with the chat. It needs no cookie and works under
 * a strict CSP of the host: no inline styles in markup, only CSSOM and constructed style sheets inside a shadow root.
 *
 * window.Warmline = {
 *   open(), close(),
 *   on(event, fn) -> off()    events: "open", "close", "unread" (count), "conversation-started" ({conversation}), "message" ({from})
 * }
 */
(function () {
  "use strict";
  var script = document.currentScript || document.querySelector("script[src*='/widget/loader.js'][data-widget]");
  if (!script || !script.dataset.widget || (window.Warmline && window.Warmline.open)) return;

  var widget = script.dataset.widget;
  var source = new URL(script.src, location.href);
  var origin = source.origin;
  var base = origin + source.pathname.replace(/\/widget\/loader\.js$/, "");
  var flag = "warmline:" + widget;
  var openFlag = flag + "/open";
  var WORDS = {
    en: ["Open chat", "Close chat", "Chat", "unread"], de: ["Chat öffnen", "Chat schließen", "Chat", "ungelesen"],
    fr: ["Ouvrir le chat", "Fermer le chat", "Chat", "non lus"], es: ["Abrir el chat", "Cerrar el chat", "Chat", "sin leer"],
    ar: ["فتح المحادثة", "إغلاق المحادثة", "محادثة", "غير مقروءة"], he: ["פתיחת הצ׳אט", "סגירת הצ׳אט", "צ׳אט", "שלא נקראו"],
  };
  var language = (script.dataset.language || document.documentElement.lang || navigator.language || "en").toLowerCase().split("-")[0];
  var words = WORDS[language] || WORDS.en;
  var rightToLeft = getComputedStyle(document.documentElement).direction === "rtl";
  var EVENTS = ["open", "close", "unread", "conversation-started", "message"];
  var listeners = {};
  var isOpen = false, ready = false, forward = false, unread = 0, again = false, frame = null, root, button, badge, host;

  var CSS = [
    ":host{all:initial}",
    ".box{position:fixed;z-index:2147483000;bottom:20px;" + (rightToLeft ? "left" : "right") + ":20px}",
    "button{all:unset;box-sizing:border-box;position:relative;display:grid;place-items:center;width:56px;height:56px;border-radius:50%;cursor:pointer;",
    "background:#a94420;color:#fff;box-shadow:0 1px 2px rgba(40,20,10,.2),0 8px 24px rgba(40,20,10,.22);transition:transform .16s ease,background .16s ease}",
    "@supports(color:oklch(from red l c h)){.tinted button{background:oklch(from var(--accent) min(l,.5) min(c,.16) h)}",
    ".tinted button:hover{background:oklch(from var(--accent) calc(min(l,.5) - .055) min(c,.15) h)}}",
    "button:hover{background:#96391a;transform:translateY(-1px)}button:active{transform:scale(.96)}",
    "button:focus-visible{outline:3px solid #fff;box-shadow:0 0 0 6px #a94420}",
    "svg{width:26px;height:26px;grid-area:1/1;transition:opacity .16s ease,transform .2s ease}",
    ".shut,.open .talk{opacity:0;transform:rotate(-40deg) scale(.7)}.open .shut{opacity:1;transform:none}",
    ".badge{position:absolute;top:-3px;inset-inline-end:-3px;min-width:20px;height:20px;box-sizing:border-box;padding:0 5px;border-radius:10px;background:#1d1a18;",
    "color:#fff;font:600 12px/20px system-ui,sans-serif;text-align:center;box-shadow:0 0 0 2px #fff}.badge[hidden]{display:none}",
    "iframe{position:fixed;z-index:2147483001;bottom:88px;" + (rightToLeft ? "left" : "right") + ":20px;width:380px;height:min(640px,calc(100vh - 108px));border:0;",
    "border-radius:18px;background:#fff;color-scheme:normal;box-shadow:0 2px 6px rgba(40,20,10,.08),0 18px 60px rgba(40,20,10,.24);transform-origin:bottom right;",
    "opacity:0;visibility:hidden;transform:translateY(10px) scale(.985);transition:opacity .16s ease,transform .2s cubic-bezier(.2,.8,.2,1),visibility 0s .2s}",
    "iframe.on{opacity:1;visibility:visible;transform:none;transition-delay:0s}iframe.still{transition:none}",
    "@media(prefers-color-scheme:dark){iframe{background:#1b1816}.badge{background:#f6efe9;color:#1d1a18;box-shadow:0 0 0 2px #1b1816}}",
    "@media(max-width:480px),(max-height:480px){.box{bottom:16px;" + (rightToLeft ? "left" : "right") + ":16px}",
    "iframe{inset:0;width:100%;height:100%;height:100dvh;border-radius:0}.box.open button{visibility:hidden}}",
    "@media(prefers-reduced-motion:reduce){button,svg,iframe,iframe.on{transition:none}}@media print{.box,iframe{display:none}}",
  ].join("");

  function emit(name, detail) {
    (listeners[name] || []).slice().forEach(function (fn) {
      try { fn(detail); } catch (error) { setTimeout(function () { throw error; }); }
    });
  }

  // Host storage may be forbidden (sandbox, privacy mode): then the chat is loaded on the first click, and closed after a reload.
  function note(store, key, on) {
    try { if (on) window[store].setItem(key, "1"); else window[store].removeItem(key); } catch (_) { /* not kept, then */ }
  }

  function noted(store, key) {
    try { return window[store].getItem(key) === "1"; } catch (_) { return false; }
  }

  // A browser that blocks third-party data gives the frame no storage of its own. Then the host page keeps its few values
  // (below the frame's own prefix, nothing else), so that a conversation survives a reload there too.
  function keep(data) {
    try {
      if (data.type === "keep" && String(data.key).indexOf(flag + ":") === 0) {
        if (data.value === null) localStorage.removeItem(data.key); else localStorage.setItem(data.key, String(data.value));
      } else if (data.type === "kept") {
        var values = {};
        Object.keys(localStorage).forEach(function (key) { if (key.indexOf(flag + ":") === 0) values[key] = localStorage.getItem(key); });
        forward = true;
        send({ type: "kept", values: values });
      }
    } catch (_) { send({ type: "kept", values: {} }); }
  }

  function stored(event) {
    if (event.key === flag && event.newValue) load();  // begun in another tab: this one shows what is unread
    if (forward && event.key && event.key.indexOf(flag + ":") === 0) send({ type: "stored", key: event.key, value: event.newValue });
  }

  function page() {
    return {
      userAgent: navigator.userAgent, screenRes: screen.width + "x" + screen.height, language: navigator.language,
      url: location.href, referrer: document.referrer, title: document.title,
    };
  }

  function send(message) {
    message.warmline = 1;
    frame.contentWindow.postMessage(message, origin);
  }

  // Known once the chat was loaded; kept, so that the launcher has its colour at once on the next page.
  function tint(accent, keeping) {
    if (!/^#[0-9a-f]{6}$/i.test(accent || "")) accent = "";
    host.classList.toggle("tinted", Boolean(accent));
    host.style.setProperty("--accent", accent);
    try {
      if (keeping && accent) localStorage.setItem(flag + "/accent", accent); else if (keeping) localStorage.removeItem(flag + "/accent");
    } catch (_) { /* not kept, then */ }
  }

  function post(message) {
    if (frame && ready) send(message);
  }

  function icon(name, path) {
    var svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("class", name);
    var line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    [["d", path], ["fill", "none"], ["stroke", "currentColor"], ["stroke-width", "1.8"], ["stroke-linecap", "round"], ["stroke-linejoin", "round"]]
      .forEach(function (pair) { line.setAttribute(pair[0], pair[1]); });
    svg.appendChild(line);
    return svg;
  }

  function style(shadow) {
    if (shadow.adoptedStyleSheets && window.CSSStyleSheet && CSSStyleSheet.prototype.replaceSync) {
      var sheet = new CSSStyleSheet();
      sheet.replaceSync(CSS);
      shadow.adoptedStyleSheets = [sheet];
      return;
    }
    var element = document.createElement("style");
    element.textContent = CSS;
    shadow.appendChild(element);
  }

  function label() {
    var text = isOpen ? words[1] : words[0];
    button.setAttribute("aria-label", unread && !isOpen ? text + " (" + unread + " " + words[3] + ")" : text);
    button.setAttribute("aria-expanded", String(isOpen));
    badge.hidden = isOpen || !unread;
    badge.textContent = unread > 9 ? "9+" : String(unread || "");
  }

  function load() {
    if (frame) return;
    frame = document.createElement("iframe");
    frame.title = words[2];
    frame.tabIndex = -1;
    frame.setAttribute("allow", "clipboard-write");
    frame.src = base + "/widget/frame/" + encodeURIComponent(widget) + "?origin=" + encodeURIComponent(location.origin);
    root.appendChild(frame);
  }

  // `still`: as it was before the reload, without motion and without taking the keyboard from the page.
  function show(still) {
    load();
    if (isOpen) return;
    isOpen = true;
    note("sessionStorage", openFlag, true);
    host.classList.add("open");
    frame.classList.toggle("still", still);
    // Made visible in the next frame, so that a new iframe has a state to move from.
    requestAnimationFrame(function () { if (isOpen) { frame.classList.add("on"); frame.tabIndex = 0; if (!still) frame.focus(); } });
    label();
    post({ type: "open", still: still, page: page() });
    emit("open");
  }

  function open() {
    show(false);
  }

  function close() {
    if (!isOpen) return;
    isOpen = false;
    note("sessionStorage", openFlag, false);
    host.classList.remove("open");
    frame.classList.remove("on", "still");
    frame.tabIndex = -1;
    label();
    post({ type: "close" });
    if (root.activeElement === frame) button.focus();
    emit("close");
  }

  function receive(event) {
    if (!frame || event.source !== frame.contentWindow || event.origin !== origin) return;
    var data = event.data;
    if (!data || data.warmline !== 1) return;
    if (data.type === "keep" || data.type === "kept") {
      keep(data);
    } else if (data.type === "ready") {
      ready = true;
      if (data.title) frame.title = String(data.title);
      tint(data.accent, true);
      post({ type: isOpen ? "open" : "page", page: page() });
      // Nothing goes on any more: then the next page loads nothing, and a panel opened by itself would begin anew.
      if (!data.conversation) note("localStorage", flag, false);
      else if (again) show(true);
      again = false;
      note("sessionStorage", openFlag, isOpen);
    } else if (data.type === "close") {
      close();
    } else if (data.type === "unread") {
      unread = data.count | 0;
      label();
      emit("unread", unread);
    } else if (data.type === "event" && (data.name === "conversation-started" || data.name === "message")) {
      if (data.name === "conversation-started") note("localStorage", flag, true);
      emit(data.name, data.detail);
    }
  }

  function start() {
    var element = document.createElement("warmline-widget");
    root = element.attachShadow({ mode: "open" });
    style(root);
    host = document.createElement("div");
    host.className = "box";
    button = document.createElement("button");
    button.type = "button";
    badge = document.createElement("span");
    badge.className = "badge";
    badge.setAttribute("aria-hidden", "true");
    button.append(icon("talk", "M5 5.5h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-7.5L7 21v-3.5H5a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2ZM7.5 12c1.2-1.8 2.4-1.8 3.4-.3s2.3 1.500 3.300 0 2-1.400 2.500-.500"), icon("shut", "m6 9.500 6 6 6-6"), badge);
    button.addEventListener("click", function () { (isOpen ? close : open)(); });
    button.addEventListener("keydown", function (event) { if (event.key === "Escape") close(); });
    host.appendChild(button);
    root.appendChild(host);
    document.body.appendChild(element);
    label();
    try { tint(localStorage.getItem(flag + "/accent")); } catch (_) { /* storage forbidden: tinted when the chat is loaded */ }
    addEventListener("message", receive);
    addEventListener("storage", stored);
    again = noted("sessionStorage", openFlag);
    if (again || noted("localStorage", flag)) load();
  }

  window.Warmline = {
    open: open,
    close: close,
    on: function (name, fn) {
      if (EVENTS.indexOf(name) < 0) throw new TypeError("Warmline.on: unknown event " + name + "; known: " + EVENTS.join(", "));
      (listeners[name] = listeners[name] || []).push(fn);
      return function () { listeners[name] = listeners[name].filter(function (other) { return other !== fn; }); };
    },
  };
  if (document.body) start(); else addEventListener("DOMContentLoaded", start);
})();
