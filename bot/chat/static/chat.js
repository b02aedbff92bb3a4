// The chat without reloads. Everything here also works without this script, by forms.
"use strict";
(() => {
  const chat = document.getElementById("chat");
  if (!chat) return;
  const log = document.getElementById("log"), open = document.getElementById("open");
  const status = document.getElementById("status");
  const said = chat.dataset;
  const LONGEST = 15, PATIENCE = 20000;
  let busy = null; // what is being sent: the same body goes again until it is answered
  let timer = 0;

  const tell = (text) => { if (status.textContent !== text) status.textContent = text; };

  // What is new from its beginning; its end, with what can be answered, where both fit.
  function settle() {
    const first = document.getElementById("m" + said.now) || open;
    const top = first.getBoundingClientRect().top - 70, bottom = open.getBoundingClientRect().bottom + 16;
    const fits = bottom - top < window.innerHeight;
    window.scrollBy(0, fits ? bottom - window.innerHeight : top); // no scrollIntoView: it moves where Tab begins
  }

  function show(news, mine) {
    if (news.reload) return window.location.reload();
    if (news.go) return window.location.assign(news.go);
    const typed = document.getElementById("text");
    const keep = !mine && typed ? typed.value : "";
    const typing = document.activeElement === typed;
    const here = open.contains(document.activeElement);
    const holder = document.createElement("template");
    holder.innerHTML = news.items;
    for (const item of [...holder.content.children]) if (!document.getElementById(item.id)) log.append(item);
    for (const form of log.querySelectorAll("form")) {
      if (form.closest("article").dataset.turn !== String(news.turn)) form.remove();
    }
    if (mine || String(news.turn) !== said.turn) {
      open.innerHTML = news.open;
      const field = document.getElementById("text");
      if (field && keep) field.value = keep;
      const wanted = open.firstElementChild.matches(".write"); // the question wants words, not a tap
      if (field && typing && (wanted || !mine)) field.focus();
      else if (mine || here) open.focus({ preventScroll: true });
    }
    said.last = news.last;
    said.turn = news.turn;
    said.now = news.now;
    settle();
  }

  async function attempt() {
    clearTimeout(timer);
    const it = busy;
    if (!it || it.under) return;
    it.under = true;
    let answer = null;
    try {
      it.body.set("since", said.last);
      it.body.set("lang", said.lang);
      answer = await fetch(it.url, {
        method: "POST", body: it.body, headers: { "x-chat": "1" }, credentials: "same-origin", redirect: "error",
        signal: AbortSignal.timeout ? AbortSignal.timeout(PATIENCE) : undefined,
      });
    } catch { /* the network: it is tried again */ }
    it.under = false;
    if (answer && answer.status === 413) return over(said.long);
    let news = null;
    try { news = answer && await answer.json(); } catch { /* not ours: it is tried again */ }
    if (news && (answer.ok || answer.status === 403)) {
      over("");
      return show(news, true);
    }
    if (news && answer.status === 429) return over(news.trouble);
    tell(answer ? said.trouble : said.offline);
    timer = setTimeout(attempt, 1000 * Math.min(LONGEST, 2 ** it.tries++));
  }

  function over(text) {
    busy = null;
    chat.removeAttribute("aria-busy");
    tell(text);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.action.includes("/chat/say")) return;
    event.preventDefault();
    if (busy) return attempt();
    const body = new URLSearchParams(new FormData(form));
    const button = event.submitter;
    if (button && button.name) body.set(button.name, button.value);
    for (const fold of document.querySelectorAll("details.fold")) fold.open = false;
    busy = { url: form.action, body, tries: 0, under: false };
    chat.setAttribute("aria-busy", "true");
    setTimeout(() => { if (busy && !status.textContent) tell(said.sending); }, 400);
    attempt();
  });
  window.addEventListener("online", attempt);

  // What comes without having been asked for: another window, a reminder, a member of staff.
  let source = null;
  function listen() {
    if (source) source.close();
    const join = said.events.includes("?") ? "&" : "?";
    source = new EventSource(said.events + join + "since=" + said.last);
    source.onmessage = (event) => { if (!busy) show(JSON.parse(event.data), false); };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
    };
  }
  listen();
  window.addEventListener("pagehide", () => source.close());
  window.addEventListener("pageshow", (event) => { if (event.persisted) window.location.reload(); });

  // Text size and colours at once, and remembered behind the scenes.
  const look = document.getElementById("look");
  look.addEventListener("change", () => {
    const data = new URLSearchParams(new FormData(look));
    document.documentElement.dataset.size = data.get("size");
    document.documentElement.dataset.theme = data.get("theme");
    fetch(look.action, { method: "POST", body: data, redirect: "manual", credentials: "same-origin" }).catch(() => {});
  });
  look.addEventListener("submit", (event) => {
    event.preventDefault();
    look.closest("details").open = false;
    look.closest("details").querySelector("summary").focus({ preventScroll: true });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const fold of document.querySelectorAll("details.fold[open]")) {
      fold.open = false;
      fold.querySelector("summary").focus({ preventScroll: true });
    }
  });

  if (document.readyState === "complete") settle();
  else window.addEventListener("load", settle);
})();
