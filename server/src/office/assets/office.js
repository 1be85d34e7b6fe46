// The managers' pages without this file are forms and links; with it they are live.
//
// - `[data-live]` elements are units: their id and content come from the server, and they are
//   swapped one by one when the page is read again. A unit in which somebody is typing is never
//   swapped: it is marked as changed, and its owner decides.
// - One EventSource brings hints. A hint names a contact; what the page then shows is read from the
//   server again, so a lost or doubled hint harms nothing.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// What this file says, in the language of the page.
const WORDS = JSON.parse(document.body.dataset.words ?? "{}");
// Dates in the language of the page, as the reader's own region of it writes them.
const LANGUAGE = document.documentElement.lang || "en";
const LOCALE = navigator.languages.find((tag) => tag.split("-")[0] === LANGUAGE && tag !== "en")
  ?? (LANGUAGE === "en" ? "en-GB" : LANGUAGE);

// --- times: the server writes UTC, the reader sees their own zone -------------------------------
const TIME = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit" });
const SECOND = new Intl.DateTimeFormat(LOCALE, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short", year: "numeric" });
const SHORT = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });
const FULL = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short" });

function localise(root) {
  const today = new Date();
  for (const time of $$("time[datetime]:not([data-done])", root)) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime()) || !time.dateTime.includes("T")) continue;
    const sameDay = at.toDateString() === today.toDateString();
    const sameYear = at.getFullYear() === today.getFullYear();
    const shape = time.dataset.shape;
    time.textContent = shape === "second" ? SECOND.format(at)
      : shape === "short" ? (sameDay ? TIME.format(at) : sameYear ? SHORT.format(at) : DAY.format(at))
      : FULL.format(at);
    if (!time.title) time.title = FULL.format(at);
    time.dataset.done = "";
  }
}

/** Minutes east of UTC at a moment of the reader's zone, which need not be today's (summer time). */
const eastOfUtc = (at) => -at.getTimezoneOffset();

/** Instants stand in forms as UTC; the reader sees and writes their own zone. */
function zones(root) {
  for (const input of $$("input[data-utc]", root)) {
    const at = new Date(`${input.value}Z`);
    if (!Number.isNaN(at.getTime())) {
      input.setAttribute("value", new Date(at.getTime() + eastOfUtc(at) * 60_000).toISOString().slice(0, 16));
    }
    input.removeAttribute("data-utc");
  }
}

/** Tells the server in which zone the times of a form are. */
function sayZone(form) {
  const zone = form.elements.utc_offset_min;
  const input = $("input[type=datetime-local]", form);
  if (!zone || !input?.value) return;
  zone.value = String(eastOfUtc(new Date(input.value)));
}

// --- units ----------------------------------------------------------------------------------------
const isDirty = (control) =>
  control.type === "hidden" ? false
  : control.type === "checkbox" || control.type === "radio" ? control.checked !== control.defaultChecked
  : control.tagName === "SELECT" ? [...control.options].some((option) => option.selected !== option.defaultSelected)
  : control.value !== control.defaultValue;

/** Whether somebody is at work in a unit: typed something, or the cursor is in one of its controls. */
const isBusy = (unit) =>
  $$("input, select, textarea", unit).some((control) => isDirty(control) || control === document.activeElement);

function swapUnit(old, fresh, force) {
  if (old.dataset.rev === fresh.dataset.rev) return;
  // What asks for the page is not taken from under the hands of who types in it.
  if ($("form[data-find]", old)?.contains(document.activeElement) && document.activeElement.matches("input")) return;
  if (!force && isBusy(old)) {
    const there = $(".changed", old);
    if (there) return;
    const mark = document.createElement("div");
    mark.className = "changed";
    mark.setAttribute("role", "status");
    const text = document.createElement("span");
    text.textContent = WORDS.changed;
    const show = document.createElement("button");
    show.type = "button";
    show.className = "btn small";
    show.textContent = WORDS.takeTheirs;
    show.addEventListener("click", () => refresh({ force: old.id }));
    mark.append(text, show);
    (old.tagName === "DETAILS" ? $("form", old) ?? old : old).prepend(mark);
    return;
  }
  const open = old.tagName === "DETAILS" && old.open && !force;
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  const copy = document.importNode(fresh, true);
  if (open) copy.open = true;
  localise(copy);
  zones(copy);
  old.replaceWith(copy);
  if (focused) document.getElementById(focused)?.focus();
  copy.classList.add("flash");
  copy.addEventListener("animationend", () => copy.classList.remove("flash"), { once: true });
}

/** Takes a page that was read again and swaps the units that differ. */
function adopt(html, { force = "" } = {}) {
  const page = new DOMParser().parseFromString(html, "text/html");
  if (!$("main", page) || Boolean($(".side-nav")) !== Boolean($(".side-nav", page))) return location.reload();
  const held = document.activeElement?.id;
  for (const fresh of $$("[data-live]", page)) {
    const old = document.getElementById(fresh.id);
    // An outer unit may have been swapped already, and this one with it.
    if (old?.matches("[data-live]")) swapUnit(old, fresh, force === "*" || force === fresh.id);
  }
  // What moved to another unit is found there.
  if (held && document.activeElement === document.body) document.getElementById(held)?.focus({ preventScroll: true });
  const [list, fresh] = [$("[data-feed]"), $("[data-feed]", page)];
  if (list && fresh) {
    // Lines that stand there already stay, so that a screen reader hears the new ones only.
    const lines = [...fresh.children].map((line) => {
      const old = document.getElementById(line.id);
      if (old && old.dataset.rev === line.dataset.rev) return old;
      const copy = document.importNode(line, true);
      localise(copy);
      return copy;
    });
    list.replaceChildren(...lines);
  }
  takeRows(page);
  document.title = page.title;
  picked();
  watchMore();
  askAgain();
}

let reading = null;
async function refresh(options = {}) {
  reading?.abort();
  const mine = (reading = new AbortController());
  try {
    const asked = location.href;
    const url = new URL(asked);
    const rows = $("#rows");
    if (rows && rows.children.length > Number(rows.dataset.window)) url.searchParams.set("rows", rows.children.length);
    const answer = await fetch(url, { signal: mine.signal, headers: { "x-office": "units" } });
    if (answer.redirected && !answer.url.startsWith(location.origin + location.pathname)) return location.reload();
    // What stands here, and may be half written, is worth more than a page that says "not now".
    if (answer.status >= 500 || answer.status === 429) return unread();
    const html = await answer.text();
    // Something else was searched for meanwhile.
    if (location.href !== asked) return hinted();
    adopt(html, options);
    stale = false;
    showState();
  } catch (error) {
    if (error.name !== "AbortError") unread();
  }
}

/** The page could not be read: it is behind, whatever the stream says, until it can. */
let stale = false;
let unreadDue = null;
function unread() {
  stale = true;
  showState();
  unreadDue ??= setTimeout(() => { unreadDue = null; hinted(); }, 3000);
}

/** At most one reading per 400 ms, and always one after the last hint. */
let due = null;
let again = false;
function hinted() {
  if (due) { again = true; return; }
  refresh();
  due = setTimeout(() => { due = null; if (again) { again = false; hinted(); } }, 400);
}

/** Totals are counted anew when something was merged, and a list is read for what came into it, but not for every edit of a busy day. */
let countsDue = null;
const COUNTS_EVERY_MS = 2000;
function counted() {
  if (countsDue || !$("[data-counts], #rows[data-window]")) return;
  countsDue = setTimeout(() => { countsDue = null; hinted(); }, COUNTS_EVERY_MS);
}

/** Counts for which there was no time are asked for again: missing ones soon, old ones later. */
let askDue = null;
function askAgain() {
  clearTimeout(askDue);
  const unit = $("[data-again]");
  if (unit) askDue = setTimeout(hinted, unit.dataset.again === "soon" ? 400 : COUNTS_EVERY_MS);
}

// --- the event stream: one per browser --------------------------------------------------------------
// A browser opens six connections to a host, all its tabs together. The tab that holds the lock has the
// stream and passes on what it hears; the others listen to that tab. A tab that is not seen gives the
// lock up. Without locks (a page that came without TLS from another machine) each tab that is seen has
// a stream of its own.
const STREAM = `roadbook ${document.body.dataset.stream} ${LANGUAGE}`;
const tabs = window.BroadcastChannel && navigator.locks && document.body.dataset.events
  ? new BroadcastChannel(STREAM) : null;
let stream = null;
/** Gives the lock back; there while this tab has it. */
let release = null;
/** Ends the waiting for the lock; there while this tab waits for it or has it. */
let queue = null;
let lastId = document.body.dataset.cursor ?? "";

/** How the stream stands, as it was last heard. */
let heard = null;
function state(name, text) {
  heard = { name, text };
  showState();
}

function showState() {
  const chip = $("#live");
  const { name, text } = stale ? { name: "behind", text: WORDS.notLive } : heard ?? {};
  if (!chip || !name) return;
  chip.dataset.state = name;
  chip.className = `chip ${name === "live" ? "ok" : "wait"}`;
  $("span", chip).textContent = text;
}

/** What the stream says of itself, here and in the other tabs. */
function standing(name) {
  state(name, name === "live" ? WORDS.live : WORDS.reconnecting);
  tabs?.postMessage({ say: "state", name });
}

/** Something happened, wherever this tab has it from. */
function happened(kind, data, id) {
  lastId = id || lastId;
  if (kind === "refresh") return hinted();
  if (kind === "devices") { if ($("[data-live=freshness]")) hinted(); return; }
  const hint = JSON.parse(data);
  const only = document.body.dataset.contact;
  if (only) { if (only === hint.contact) hinted(); return; }
  const row = document.getElementById(`c-${hint.contact}`);
  counted();
  // A list with columns of its own reads its row as it has it.
  if (row && row.closest("#rows") && location.pathname === "/contacts") { rowHinted(hint.contact); return; }
  if (row && hint.row) { put(row, hint.row); return; }
  feed(hint);
  if ($("[data-live=figures], [data-live=conflicts]")) hinted();
}

function connect() {
  stream = new EventSource(`${document.body.dataset.events}?since=${encodeURIComponent(lastId)}`);
  for (const kind of ["refresh", "devices", "merged"]) {
    stream.addEventListener(kind, (event) => {
      tabs?.postMessage({ say: "event", kind, data: event.data, id: event.lastEventId });
      happened(kind, event.data, event.lastEventId);
    });
  }
  stream.addEventListener("open", () => standing("live"));
  stream.addEventListener("error", () => {
    standing("behind");
    // The browser gives up for good on an HTTP error: the session has ended or the server is new.
    // Reading the page again leads to the sign-in if that is it.
    if (stream?.readyState === EventSource.CLOSED) {
      leave();
      setTimeout(() => { refresh(); listen(); }, 3000 + Math.random() * 4000);
    }
  });
}

function listen() {
  if (stream || queue || document.hidden || !document.body.dataset.events) return;
  if (!tabs) return connect();
  queue = new AbortController();
  // Whoever has the stream says up to where, and how it stands.
  tabs.postMessage({ say: "who" });
  navigator.locks.request(STREAM, { signal: queue.signal }, () => new Promise((resolve) => {
    release = resolve;
    connect();
  })).catch(() => {});
}

/** Ends what this tab has of the stream; another tab that is seen goes on. */
function leave() {
  stream?.close();
  stream = null;
  queue?.abort();
  queue = null;
  release?.();
  release = null;
}

tabs?.addEventListener("message", ({ data: told }) => {
  if (told.say === "who") {
    if (stream?.readyState === EventSource.OPEN) tabs.postMessage({ say: "here", id: lastId });
    return;
  }
  if (document.hidden) return;
  if (told.say === "event") happened(told.kind, told.data, told.id);
  if (told.say === "state") state(told.name, told.name === "live" ? WORDS.live : WORDS.reconnecting);
  if (told.say === "here" && !stream) {
    state("live", WORDS.live);
    // What was told before this tab listened is read.
    if (told.id !== lastId) { lastId = told.id; hinted(); }
  }
});

/** Puts one row that the server rendered in the place of the row it had before. */
function put(row, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const fresh = template.content.firstElementChild;
  if (!fresh || fresh.dataset.rev === row.dataset.rev) return;
  localise(fresh);
  keepPick(row, fresh);
  row.replaceWith(fresh);
  fresh.classList.add("flash");
}

// --- the rows of a list: swapped one by one, and more of them as one scrolls ---------------------------
/** Who was chosen stays chosen. */
function keepPick(old, fresh) {
  const [was, is] = [$(".pick input", old), $(".pick input", fresh)];
  if (was && is) is.checked = was.checked;
}

/** Takes the rows that a page has now; those of windows that were added below stay where they are. */
function takeRows(page) {
  const [list, fresh] = [$("#rows"), $("#rows", page)];
  if (!list || !fresh || list.dataset.rows !== fresh.dataset.rows) return;
  const had = [...list.children];
  const there = new Map(had.map((row) => [row.id, row]));
  const rows = [...fresh.children].map((row) => {
    const old = there.get(row.id);
    if (old && old.dataset.rev === row.dataset.rev) return old;
    const copy = document.importNode(row, true);
    localise(copy);
    if (old) keepPick(old, copy);
    copy.classList.add("flash");
    return copy;
  });
  const shown = new Set(rows.map((row) => row.id));
  const last = had.findIndex((row) => row.id === rows.at(-1)?.id);
  const below = $("#more", page) ? had.slice(last < 0 ? rows.length : last + 1).filter((row) => !shown.has(row.id)) : [];
  const all = [...rows, ...below];
  if (all.length !== had.length || all.some((row, i) => row !== had[i])) {
    const focused = list.contains(document.activeElement) ? document.activeElement : null;
    const at = focused && [focused.closest("tr").id, focused.matches("input") ? ".pick input" : "a.name"];
    list.replaceChildren(...all);
    if (at) $(at[1], document.getElementById(at[0]) ?? list)?.focus({ preventScroll: true });
  }
  if (!below.length) takeMore(page);
}

/** The link to what follows, as a page has it. */
function takeMore(page) {
  const [old, fresh] = [$("#more"), $("#more", page)];
  if (old && fresh) { if (old.href !== fresh.href) old.replaceWith(document.importNode(fresh, true)); }
  else if (old) old.remove();
  else if (fresh) $("nav.pager .bar")?.append(document.importNode(fresh, true));
  watchMore();
}

/** Reads the next window and puts its rows below. */
async function readMore() {
  const [link, list] = [$("#more"), $("#rows")];
  if (!link || !list || link.dataset.reading !== undefined) return;
  link.dataset.reading = "";
  const key = list.dataset.rows;
  try {
    const answer = await fetch(link.href, { headers: { "x-office": "units" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = $("#rows", page);
    if (!answer.ok || !fresh) throw new Error("no rows");
    if ($("#rows")?.dataset.rows !== key) return;
    for (const row of [...fresh.children]) {
      if (document.getElementById(row.id)) continue;
      const copy = document.importNode(row, true);
      localise(copy);
      $("#rows").append(copy);
    }
    takeMore(page);
    picked();
  } catch {
    // The link itself still leads there.
    delete link.dataset.reading;
    say(WORDS.unreachable);
  }
}
const atEnd = new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) readMore(); }, { rootMargin: "600px" });
function watchMore() {
  atEnd.disconnect();
  const link = $("#more");
  if (link) atEnd.observe(link);
}

/** Rows that changed are read together. */
const dueRows = new Set();
let rowsDue = null;
const ROWS_AT_ONCE = 50;
function rowHinted(id) {
  dueRows.add(id);
  rowsDue ??= setTimeout(readRows, 150);
}
async function readRows() {
  rowsDue = null;
  const ids = [...dueRows].slice(0, ROWS_AT_ONCE);
  for (const id of ids) dueRows.delete(id);
  const url = new URL(location.href);
  url.searchParams.delete("after");
  url.searchParams.set("only", ids.join(","));
  try {
    const answer = await fetch(url, { headers: { "x-office": "units" } });
    if (!answer.ok) return hinted();
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ids) {
      const [row, fresh] = [document.getElementById(`c-${id}`), page.getElementById(`c-${id}`)];
      if (row && fresh) put(row, fresh.outerHTML);
      // It is none of this list any more.
      else if (row) { row.remove(); hinted(); }
    }
    picked();
  } catch { unread(); }
  if (dueRows.size) rowsDue ??= setTimeout(readRows, 150);
}

/** The newest change stands on top of the feed at once; the figures follow a moment later. */
function feed(hint) {
  const list = $("#feed ol");
  if (!list || !hint.feed) return;
  const template = document.createElement("template");
  template.innerHTML = hint.feed;
  for (const item of [...template.content.children].reverse()) {
    document.getElementById(item.id)?.remove();
    localise(item);
    item.classList.add("flash");
    list.prepend(item);
  }
  while (list.children.length > 30) list.lastElementChild.remove();
}

document.addEventListener("visibilitychange", () => {
  // A page that is not seen holds no connection; it catches up when it is.
  if (document.hidden) leave(); else listen();
});
addEventListener("pagehide", leave);
addEventListener("pageshow", (event) => { if (event.persisted) { refresh(); listen(); } });

// --- forms ----------------------------------------------------------------------------------------
/** An id for an entry that a form adds: of the time and chance (UUIDv7), the same however often it is sent. */
function entryId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const now = Date.now();
  for (let i = 0; i < 6; i++) bytes[i] = Math.floor(now / 2 ** (40 - 8 * i)) % 256;
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.confirm && !confirm(form.dataset.confirm)) return event.preventDefault();
  sayZone(form);
  if (!form.matches("[data-in-place]")) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  // Sent again because no answer came, it is not added twice.
  if (!form.elements.id) body.set("new_id", (form.dataset.newId ??= entryId()));
  const buttons = $$("button", form);
  for (const button of buttons) button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { "x-office": "units" } });
    const html = await answer.text();
    if (answer.redirected && new URL(answer.url).pathname !== location.pathname) return location.assign(answer.url);
    if (answer.ok) {
      // What was written is on the server now: nobody is at work in this form any more.
      form.reset();
      delete form.dataset.newId;
      document.activeElement?.blur();
      const box = form.closest("details");
      if (box) box.open = false;
      // The page may have been asked for in another way (a further page, authors shown): as it was.
      if (answer.url === location.href.split("#")[0]) adopt(html); else await refresh();
      $("summary", document.getElementById(box?.id ?? ""))?.focus();
      say(WORDS.saved);
    } else {
      const page = new DOMParser().parseFromString(html, "text/html");
      const was = $("data[data-was]", page);
      const seen = was && form.elements[was.dataset.was];
      if (seen) {
        seen.value = was.value;
        if (/^\d+-\d+-\d+T\d+:\d+$/.test(was.value)) { seen.setAttribute("data-utc", ""); zones(form); }
      }
      problem(form, $("[data-problem]", page)?.textContent ?? WORDS.answered.replace("{status}", answer.status));
    }
  } catch {
    problem(form, WORDS.unsaved);
  } finally {
    for (const button of buttons) button.disabled = false;
  }
});

// A picture is sent as text in a hidden field of the form that it was chosen in.
document.addEventListener("change", async (event) => {
  const input = event.target;
  if (!input.matches?.("input[type=file][data-into]")) return;
  const into = document.getElementById(input.dataset.into);
  const file = input.files[0];
  const fits = !file || file.size <= Number(input.dataset.bytesMax);
  input.setCustomValidity(fits ? "" : input.dataset.tooLarge);
  into.value = "";
  if (!file || !fits) return input.reportValidity();
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  into.value = btoa(text);
});

function problem(form, text) {
  const line = $(".err", form) ?? form.appendChild(Object.assign(document.createElement("p"), { className: "err" }));
  line.setAttribute("role", "alert");
  line.textContent = text;
}

function say(text) {
  const region = $("#said");
  if (region) { region.textContent = ""; requestAnimationFrame(() => { region.textContent = text; }); }
}

// Search as you type: the address follows, so that a reload and a shared link show the same list.
let wait = null;
let asking = null;
async function ask(find) {
  // Beside a view what is empty says so; else the view's own would hold.
  const view = Boolean(find.elements.view);
  const query = new URLSearchParams([...new FormData(find)].filter(([, value]) => view || value !== ""));
  const url = `${find.getAttribute("action")}${query.size ? `?${query}` : ""}`;
  asking?.abort();
  const mine = (asking = new AbortController());
  try {
    const answer = await fetch(url, { signal: mine.signal, headers: { "x-office": "units" } });
    if (!answer.ok) return say(WORDS.unreachable);
    reading?.abort();
    history.replaceState(null, "", url);
    adopt(await answer.text(), { force: "*" });
  } catch (error) {
    if (error.name !== "AbortError") say(WORDS.unreachable);
  }
}
document.addEventListener("input", (event) => {
  const find = event.target.closest?.("form[data-find]");
  if (!find) return;
  clearTimeout(wait);
  wait = setTimeout(() => ask(find), event.target.tagName === "SELECT" ? 0 : 120);
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-find]")) return;
  event.preventDefault();
  clearTimeout(wait);
  ask(event.target);
});

// --- many contacts at once: how many are chosen, and the box that chooses all of the page ---------------
function picked() {
  const box = $("#bulk-box");
  if (!box) return;
  const boxes = $$("tbody .pick input");
  const n = boxes.filter((input) => input.checked).length;
  const chip = $("[data-picked]", box);
  chip.hidden = n === 0;
  chip.textContent = chip.dataset.picked.replace("{n}", n);
  const all = $("[data-pick-all]");
  if (!all) return;
  all.hidden = boxes.length === 0;
  all.checked = n > 0 && n === boxes.length;
  all.indeterminate = n > 0 && n < boxes.length;
}
document.addEventListener("change", (event) => {
  const input = event.target;
  if (input.matches?.("[data-pick-all]")) {
    for (const box of $$("tbody .pick input")) box.checked = input.checked;
  } else if (!input.matches?.("tbody .pick input")) return;
  if (input.checked) $("#bulk-box").open = true;
  picked();
});

// --- the board: a deal is dragged to another stage; the form on it does the same ------------------
let dragged = null;
document.addEventListener("dragstart", (event) => {
  const card = event.target.closest?.("[data-deal]");
  if (!card) return;
  dragged = card.id;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", card.dataset.deal);
  card.classList.add("held");
});
document.addEventListener("dragend", () => {
  dragged = null;
  for (const e of $$(".held, .over")) e.classList.remove("held", "over");
});
document.addEventListener("dragover", (event) => {
  const column = event.target.closest?.("[data-stage]");
  if (!dragged || !column) return;
  event.preventDefault();
  for (const e of $$(".over")) if (e !== column) e.classList.remove("over");
  column.classList.add("over");
});
document.addEventListener("drop", (event) => {
  const column = event.target.closest?.("[data-stage]");
  const card = document.getElementById(dragged ?? "");
  if (!column || !card) return;
  event.preventDefault();
  if (!column.contains(card)) moveTo(card, column);
});

function moveTo(card, column) {
  const form = $("form", card);
  form.elements.stage.value = column.dataset.stage;
  // Why a deal was lost is asked for; all else needs no word.
  if (column.dataset.stage === "lost") {
    form.closest("details").open = true;
    form.elements.lost_reason.focus();
  } else {
    form.requestSubmit();
  }
}

/** Alt and an arrow move the deal that has the focus to the stage beside it. */
document.addEventListener("keydown", (event) => {
  if (!event.altKey || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) return;
  // There it goes a word back or on.
  if (event.target.matches?.("input, select, textarea")) return;
  const card = event.target.closest?.("[data-deal]");
  const column = card?.closest("[data-stage]");
  if (!column) return;
  event.preventDefault();
  const columns = $$("[data-stage]");
  const to = columns[columns.indexOf(column) + (event.key === "ArrowLeft" ? -1 : 1)];
  if (to) moveTo(card, to);
});

// --- keys -----------------------------------------------------------------------------------------
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const typing = event.target.matches?.("input, select, textarea");
  if (event.key === "Escape" && typing) {
    const open = event.target.closest("details.f[open]");
    if (open) { $("form", open)?.reset(); shut(open); }
    return;
  }
  if (typing) return;
  if (event.key === "/") {
    const box = $("input[type=search]");
    if (box) { event.preventDefault(); box.focus(); box.select(); } else { location.assign("/contacts#q"); }
  } else if (event.key === "j" || event.key === "k") {
    const links = $$("main a.name");
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    const next = event.key === "j" ? Math.min(at + 1, links.length - 1) : Math.max(at - 1, 0);
    links[next].focus();
    links[next].scrollIntoView({ block: "nearest" });
  }
});

// "Cancel" closes the field that it stands in.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-close]");
  const field = button?.closest("details");
  if (field) setTimeout(() => shut(field));
});

/** Closes a field that nobody writes in any more; what somebody else wrote meanwhile is shown then. */
function shut(field) {
  field.open = false;
  $("summary", field)?.focus();
  if ($(".changed", field)) refresh({ force: field.id });
}

// Opening a field puts the cursor into it.
document.addEventListener("toggle", (event) => {
  const field = event.target;
  if (field.matches?.("details.f[open]")) $("input:not([type=hidden]), select, textarea", field)?.focus();
}, true);

localise(document);
zones(document);
picked();
watchMore();
askAgain();
if (location.hash === "#q") $("input[type=search]")?.focus();
listen();
