"use strict";
// Whatever comes from the network is put on the page as text, never as markup.
const byId = (id) => document.getElementById(id);
const most = { rows: 200, over: 50, events: 200 };
const state = { calls: new Map(), over: [], ended: new Set(), events: [], last: "0", skew: 0, stale: false };
let token = sessionStorage.getItem("token") || "";

// node makes an element; of its children texts stay texts.
function node(name, kind, ...children) {
  const n = document.createElement(name);
  if (kind) n.className = kind;
  n.append(...children);
  return n;
}
const cell = (text, kind) => {
  const n = node("td", kind, String(text));
  n.title = String(text);
  return n;
};
const fill = (id, rows) => byId(id).replaceChildren(...rows);

class Refused extends Error {}

async function ask(path, more = {}) {
  const headers = { ...more.headers };
  if (token) headers.Authorization = "Bearer " + token;
  const res = await fetch(path, { ...more, headers, cache: "no-store", credentials: "omit" });
  if (res.status === 401) throw new Refused();
  if (!res.ok) {
    const problem = await res.json().catch(() => ({}));
    throw new Error(problem.detail || res.statusText);
  }
  const at = Date.parse(res.headers.get("Date"));
  if (at) state.skew = at - Date.now();
  return res;
}
const json = async (path) => (await ask(path)).json();

// Times.
const clock = (at) => new Date(at).toLocaleTimeString([], { hour12: false });
function length(seconds) {
  const s = Math.max(0, Math.round(seconds)), pad = (n) => String(n).padStart(2, "0");
  return s < 3600 ? Math.floor(s / 60) + ":" + pad(s % 60) : Math.floor(s / 3600) + ":" + pad(Math.floor(s / 60) % 60) + ":" + pad(s % 60);
}
const age = (at) => length((Date.now() + state.skew - Date.parse(at)) / 1000);

// Calls.
function callButton(id) {
  const b = node("button", "", id);
  b.type = "button";
  b.addEventListener("click", () => draw(id));
  return node("td", "", b);
}
const trunksOf = (c) => (c.trunk || "-") + " → " + (c.target_trunk || "-");

function showCalls() {
  const calls = [...state.calls.values()].sort((a, b) => (a.started < b.started ? 1 : -1));
  byId("count").textContent = calls.length;
  fill("calls", calls.slice(0, most.rows).map((c) =>
    node("tr", "", callButton(c.id), cell(c.from), cell(c.to), cell(trunksOf(c)), cell(c.phase), cell(age(c.answered || c.started), "n"))));
  byId("more").hidden = calls.length <= most.rows;
  byId("more").textContent = "and " + (calls.length - most.rows) + " more";
  fill("over", state.over.map((e) =>
    node("tr", "", callButton(e.call), cell(e.from), cell(e.to), cell(trunksOf(e)),
      cell(e.code ? e.code + " " + e.reason : "no answer sent", e.code >= 200 && e.code < 300 ? "good" : "bad"),
      cell(e.hung_up_by || ""), cell(e.duration_seconds ? length(e.duration_seconds) : "", "n"))));
}

async function loadCalls() {
  const list = await json("api/v1/calls");
  state.calls.clear();
  for (const c of list.calls) {
    if (state.ended.has(c.id)) continue;
    const b = c.legs.findLast((l) => l.role === "b");
    state.calls.set(c.id, { ...c, target_trunk: b ? b.trunk : "" });
  }
}

async function draw(id) {
  byId("title").textContent = "Call " + id;
  const out = byId("drawing"), page = byId("page");
  const ladder = "api/v1/calls/" + encodeURIComponent(id) + "/ladder?";
  out.textContent = "";
  page.hidden = true;
  URL.revokeObjectURL(page.href);
  try {
    paint(out, await (await ask(ladder + "format=text&colour=true&width=140")).text());
    // A link could not send the token, so what it leads to is fetched here.
    page.href = URL.createObjectURL(await (await ask(ladder + "format=html")).blob());
    page.download = "call-" + id + ".html";
    page.hidden = false;
  } catch (e) {
    out.textContent = e.message;
  }
  if (!byId("ladder").open) byId("ladder").showModal();
}

// paint shows a text with ANSI colours.
function paint(out, text) {
  let kind = "";
  for (const part of text.split(/(\x1b\[[\d;]*m)/)) {
    const colour = /^\x1b\[([\d;]*)m$/.exec(part);
    if (colour) kind = colour[1].split(";").filter((c) => c && c !== "0").map((c) => "s" + c).join(" ");
    else if (part) out.append(kind ? node("span", kind, part) : part);
  }
}

// Trunks, script and bans.
function health(t) {
  if (!t.enabled) return ["disabled", "dim"];
  if (!t.up) return ["down", "bad"];
  return (t.targets || []).every((one) => one.up) ? ["up", "good"] : ["up, some targets down", "warn"];
}
function registered(r) {
  if (!r) return ["-", "dim"];
  if (r.registered) return ["until " + clock(r.until), "good"];
  return [r.code || r.reason ? ("no: " + (r.code || "") + " " + r.reason).replace("  ", " ") : "not yet", "bad"];
}
async function loadTrunks() {
  const list = await json("api/v1/trunks");
  fill("trunks", list.trunks.map((t) => {
    const targets = (t.targets || []).map((one) => one.uri + (one.up ? "" : " (down: " + one.why + ")")).join(", ");
    return node("tr", "", cell(t.name), cell(...health(t)), cell(t.max_calls ? t.calls + " of " + t.max_calls : t.calls, "n"),
      cell(t.attempts, "n"), cell(t.answered, "n"), cell(t.failed, "n"), cell(...registered(t.registration)), cell(targets));
  }));
}

async function loadScript() {
  const s = await json("api/v1/script");
  byId("script").textContent = s.name + " since " + clock(s.loaded) + (s.generations.length > 1 ? ", beside it " + s.generations.slice(1).map((g) => g.name + " (" + g.state + ", " + g.calls + " calls)").join(", ") : "");
  const failed = byId("failure");
  failed.hidden = !s.failure;
  failed.textContent = s.failure ? "The scripts saved last do not run, those before them do:\n" + s.failure : "";
}

async function loadBans() {
  const list = await json("api/v1/bans");
  byId("banned").hidden = list.bans.length === 0;
  fill("bans", list.bans.map((b) => node("tr", "", cell(b.source), cell(b.reason), cell(b.messages || 0, "n"), cell(clock(b.until)))));
}

// Events.
function happened(e) {
  if (e.id) state.last = e.id;
  state.stale = true;
  state.due ??= setTimeout(show, 200);
  const c = state.calls.get(e.call);
  switch (e.type) {
    case "call.started":
      if (!state.ended.has(e.call)) state.calls.set(e.call, { id: e.call, from: e.from, to: e.to, trunk: e.trunk, phase: "routing", started: e.at });
      break;
    case "call.answered":
      if (c) Object.assign(c, { phase: "talking", answered: e.at, target_trunk: e.target_trunk });
      break;
    case "call.ended":
      state.calls.delete(e.call);
      state.ended.add(e.call);
      if (state.ended.size > 5000) state.ended.delete(state.ended.values().next().value);
      state.over.unshift(e);
      state.over.length = Math.min(state.over.length, most.over);
      break;
    case "drain.began":
      say("draining: no new calls are taken", "warn");
      break;
  }
  state.events.unshift(e);
  state.events.length = Math.min(state.events.length, most.events);
}

function eventLine(e) {
  const words = [clock(e.at), e.type, e.call || e.trunk || e.source || ""];
  if (e.call) words.push(e.from + " → " + e.to);
  if (e.code) words.push(e.code + " " + (e.reason || ""));
  if (e.count) words.push(e.count + " events were lost on the way");
  if (e.text) words.push(e.text);
  const kind = /down|failed|missed|\.banned/.test(e.type) ? "bad" : /\.up$|loaded|enabled/.test(e.type) ? "good" : "";
  return node("li", kind, words.filter(Boolean).join("  "));
}

// follow reads the stream until it breaks. EventSource could not send a token.
async function follow() {
  const res = await ask("api/v1/events", { headers: { "Last-Event-ID": state.last } });
  say("live", "good");
  state.open = true;
  const lines = res.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await lines.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const line of parts) {
      if (line.startsWith("data: ")) happened(JSON.parse(line.slice(6)));
    }
  }
}

function say(text, kind) {
  byId("state").textContent = text;
  byId("state").className = kind || "";
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

async function live() {
  for (;;) {
    try {
      await follow();
      say("the process has ended the stream", "bad");
    } catch (e) {
      if (e instanceof Refused) return locked();
      say("no answer: " + e.message, "bad");
    }
    state.open = false;
    await wait(2000);
  }
}

// refresh asks for what events do not tell, the more seldom the more calls there
// are, and not while nobody looks.
async function refresh() {
  for (let round = 0; ; ) {
    if (!document.hidden && state.open) {
      try {
        await Promise.all([loadTrunks(), loadScript(), loadBans()]);
        if (round++ % (state.calls.size > 500 ? 20 : 3) === 0) await loadCalls();
        state.stale = true;
      } catch (e) { /* live says so */ }
    }
    await wait(state.open ? 3000 : 200);
  }
}

function show() {
  state.due = undefined;
  if (document.hidden) return;
  showCalls();
  if (!state.stale) return;
  state.stale = false;
  fill("events", state.events.map(eventLine));
}

function locked() {
  state.open = false;
  say("locked", "warn");
  byId("door").hidden = false;
  byId("view").hidden = true;
}

byId("door").addEventListener("submit", (e) => {
  e.preventDefault();
  token = byId("token").value;
  sessionStorage.setItem("token", token);
  byId("token").value = "";
  byId("door").hidden = true;
  byId("view").hidden = false;
  live();
});

setInterval(show, 1000);
live();
refresh();
