// Search as you type: the field, the answers, and the way through them by keyboard.

import { addressOf, go, parts, rewrite } from "./addresses.js";
import { answer } from "./answers.js";
import { counted, find, make, settled, shortened } from "./elements.js";
import { readyHit } from "./hits.js";
import { calm, complain, say } from "./notices.js";
import * as service from "./service.js";
import { welcome } from "./welcome.js";

const A_PAGE = 10;
const MOST = 200;
const PAUSE_MS = 160;
const SLOW_MS = 700;

const form = find("asking"), field = find("query"), where = find("where"), view = find("view-search");
const heading = make("h1", { id: "search-heading", tabindex: "-1" }, "Search the documents");
const list = make("ol.answers", { "aria-labelledby": "search-heading" });
const hint = make("p.hint.soft", { hidden: true });
const rest = make("p.rest");
const empty = make("div.empty");
view.append(heading, hint, list, empty, rest);

let followed = null;
let wanted = "", hits = [], hidden = 0, reached = 0, isAll = false, request = null;

/** What the form asks for, as parts of the address. */
export function asked() {
  const mode = new FormData(form).get("mode");
  return { q: field.value.trim(), mode: mode === "hybrid" ? "" : mode, where: where.value.trim() };
}

/** The hits that are shown, for other views that speak of them. */
export const shownHits = () => hits;

/** The link that was followed to a document, to come back to. */
export const opened = () => (followed?.isConnected ? followed : null);

/** Put a query into the form. */
export function fill({ q = "", mode = "hybrid", where: condition = "" }) {
  if (field.value.trim() !== q) field.value = q;
  const choice = [...form.elements.mode].find((one) => one.value === mode) ?? [...form.elements.mode].at(-1);
  choice.checked = true;
  if (where.value.trim() !== condition) where.value = condition;
  if (condition) find("filter").open = true;
}

/** Ask the service what a query of the form asks for. */
export async function answersTo(query, { offset = 0, all = false, k = A_PAGE } = {}, signal) {
  const body = { query: query.q, k, mode: query.mode || "hybrid" };
  if (query.where) body.where = query.where;
  if (offset) body.offset = offset;
  if (all) body.all = true;
  const found = await service.search(body, signal);
  return { hits: found.hits.map(readyHit), hidden: found.hidden ?? 0 };
}

/** Show the answers to what the address asks. */
export async function enter() {
  fill(parts());
  const query = asked();
  document.title = query.q ? `${query.q}: selfsent` : "Search: selfsent";
  await ask(query);
}

async function ask(query, { all = false, again = false } = {}) {
  const key = JSON.stringify([query, all]);
  if (key === wanted && !again) return;
  wanted = key;
  request?.abort();
  request = new AbortController();
  isAll = all;
  if (!query.q) {
    hits = [];
    calm();
    rest.replaceChildren();
    show(query);
    return;
  }
  view.setAttribute("aria-busy", "true");
  const slow = setTimeout(() => {
    heading.textContent = "Searching …";
  }, SLOW_MS);
  try {
    const found = await answersTo(query, { all }, request.signal);
    clearTimeout(slow);
    calm();
    ({ hits, hidden } = found);
    reached = A_PAGE;
    show(query);
  } catch (error) {
    if (error.name !== "AbortError") {
      wanted = "";
      if (heading.textContent === "Searching …") heading.textContent = "No answer came";
    }
    complain(error, () => ask(query, { all, again: true }));
  } finally {
    clearTimeout(slow);
    if (wanted === key || !wanted) view.removeAttribute("aria-busy");
  }
}

function show(query) {
  view.classList.toggle("without-query", !query.q);
  list.replaceChildren(...hits.map((hit) => answer(hit)));
  hint.hidden = !hits.some((hit) => hit.phrase);
  hint.replaceChildren(
    make("mark", null, "Marked"), ": words of the query. ",
    make("span.phrase", null, "Underlined"), ": the phrase nearest to it in meaning.",
  );
  empty.replaceChildren();
  if (!query.q) {
    heading.textContent = "Search the documents";
    hidden = 0;
    welcome(empty, () => !asked().q);
    say("");
    return;
  }
  heading.textContent = hits.length ? headline(query) : "Nothing found";
  if (!hits.length) empty.append(make("p", null, nothing(query)));
  showRest(query);
  const weaker = hidden ? `; ${counted(hidden, "weaker answer")} hidden` : "";
  say(`${hits.length ? counted(hits.length, "answer") : "No answer"} for ${short(query.q)}${weaker}.`);
}

/** Whether the service may know more: it gave as many as it was asked for. */
const isFull = () => hits.length + hidden >= reached && reached < MOST;

function headline(query) {
  const answers = counted(hits.length, "document");
  return `${isFull() && hits.length > 1 ? `The best ${answers}` : answers} for “${short(query.q)}”`;
}

const short = (text) => shortened(text, 60);

function nothing(query) {
  if (hidden) return "No document holds these words or comes near their meaning.";
  if (query.where) return "No passage that fits the filter answers this. Try it without the filter.";
  return query.mode === "text"
    ? "No document holds these words. Searching by meaning may find others that say the same."
    : "Try other words, or fewer.";
}

function showRest(query) {
  rest.replaceChildren();
  if (isFull() && hits.length) {
    rest.append(make("button", { type: "button", click: () => more(query) }, "More answers"));
  }
  if (hidden && !isAll) {
    const line = `${counted(hidden, "weaker answer")}; show ${hidden === 1 ? "it" : "them"}`;
    rest.append(make("button.link", { type: "button", click: () => ask(query, { all: true }) }, line));
  }
}

async function more(query) {
  const before = hits.length;
  try {
    const found = await answersTo(query, { offset: before, k: reached + A_PAGE - before, all: isAll }, request?.signal);
    reached += A_PAGE;
    hits = [...hits, ...found.hits];
    hidden = found.hidden;
    list.append(...found.hits.map((hit) => answer(hit)));
    heading.textContent = headline(query);
    showRest(query);
    say(found.hits.length ? `${counted(found.hits.length, "more answer")}.` : "There are no more answers.");
    links()[before]?.focus();
  } catch (error) {
    complain(error, () => more(query));
  }
}

list.addEventListener("click", (event) => {
  followed = event.target.closest("a");
});

// --- the field -------------------------------------------------------------------------------------------------

const isOnMap = () => parts().view === "map";
const addressAsked = () => addressOf({ ...(isOnMap() && { view: "map" }), ...asked() });
let onTyped = () => {};

/** Say what happens when the query has changed; `isFinished` where Enter was pressed. */
export function listen(typed) {
  onTyped = typed;
}

const changed = settled(() => {
  if (["search", "map"].includes(parts().view ?? "search")) {
    rewrite(addressAsked());
    onTyped();
  } else if (asked().q) go(addressAsked());
}, PAUSE_MS);

form.addEventListener("input", (event) => {
  if (event.isComposing) return;
  if (event.target === where) return; // a condition is whole only when it is entered
  changed();
});
form.addEventListener("change", () => changed());
field.addEventListener("compositionend", () => changed());
form.addEventListener("submit", (event) => {
  event.preventDefault();
  changed.cancel();
  if (location.search !== addressAsked()) go(addressAsked());
  else onTyped();
});

find("filter").addEventListener("toggle", async () => {
  const columns = (await service.facts().catch(() => null))?.store?.columns;
  if (columns) find("columns").textContent = `Columns: ${columns.join(", ")}.`;
}, { once: true });

const links = () => [...list.querySelectorAll("h2 a")];

/** Move between the field and the answers; tells whether the key had a meaning. */
export function onKey(event) {
  if (view.hidden || event.altKey || event.ctrlKey || event.metaKey) return false;
  const all = links(), at = all.indexOf(document.activeElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && (document.activeElement === field || at >= 0)) {
    const next = at + step;
    if (next < 0) field.focus();
    else if (all[next]) {
      all[next].focus({ preventScroll: true });
      all[next].closest("li").scrollIntoView({ block: "nearest" });
    }
    return true;
  }
  if (event.key === "Escape" && view.contains(document.activeElement)) {
    field.focus();
    return true;
  }
  return false;
}
