// A document read in full, at the passage that answered.

import { addressOf, follow, goBack, parts } from "./addresses.js";
import { similar } from "./answers.js";
import { counted, find, isNameless, make, nameOf } from "./elements.js";
import { lightSpan, markedText, unitsOf } from "./marked_text.js";
import { phraseTree } from "./phrase_tree.js";
import { calm, complain, say } from "./notices.js";
import * as search from "./search_view.js";
import * as service from "./service.js";

const view = find("view-document");
let request = null, shown = "";

/** Show the document that the address names. */
export async function enter() {
  const at = parts();
  if (at.q) search.fill({ q: at.q, mode: at.mode, where: at.where });
  const key = JSON.stringify([at.id, at.start, at.end, at.q]);
  if (key === shown) return;
  shown = key;
  request?.abort();
  request = new AbortController();
  view.replaceChildren(back(at), make("h1", { id: "document-heading", tabindex: "-1" }, "…"));
  view.setAttribute("aria-busy", "true");
  try {
    const [found, hit] = await Promise.all([service.documentOf(at.id ?? "", request.signal), hitOf(at, request.signal)]);
    calm();
    write(found, at, hit);
  } catch (error) {
    shown = "";
    if (error.name === "AbortError") return;
    find("document-heading").textContent = error.status === 404 ? "This document is not here" : "The document did not come";
    complain(error.status === 404 ? new Error(`The store holds no document ${at.id ?? ""}.`) : error, () => enter());
  } finally {
    view.removeAttribute("aria-busy");
  }
}

export function leave() {
  request?.abort();
}

/** Escape goes back to the answers. */
export function onEscape() {
  goBack(answersAddress(parts()));
  return true;
}

/** The answer that led here, with its marks: one of those that are shown, or, in a new tab, found again. */
async function hitOf(at, signal) {
  const isIt = (hit) => hit.document === at.id && String(hit.start) === at.start;
  const known = search.shownHits().find(isIt);
  if (known || !at.q) return known ?? null;
  const found = await search.answersTo(search.asked(), { all: true }, signal).catch(() => ({ hits: [] }));
  return found.hits.find(isIt) ?? null;
}

const answersAddress = ({ q, mode, where }) => addressOf({ q, mode, where });

/** The line that stays in sight: the way back, what is read, and the way to the passage. */
function back(at, title, toPassage) {
  return make(
    "p.back", null,
    make("a", { href: answersAddress(at), click: follow }, at.q ? "← Answers" : "← Search"),
    make("span", { dir: "auto", "aria-hidden": "true" }, title),
    toPassage && make("button.link", { type: "button", click: toPassage }, "To the passage"),
  );
}

function write(found, at, hit) {
  const title = nameOf(found, found.text);
  document.title = `${title}: selfsent`;
  const target = make("div.here", { tabindex: "-1" });
  const text = make("div.reading", { dir: "auto" });
  const here = span(found, at);
  // The passage stands as a block of its own: the white space around it gives way to the block's margins.
  const hasPassage = here[0] < here[1];
  const before = found.text.slice(0, here[0]), behind = found.text.slice(here[1]);
  text.append(hasPassage ? before.trimEnd() : before);
  if (hasPassage) {
    const passage = found.text.slice(...here);
    target.append(hit && hit.text === passage ? markedText(passage, hit.words, hit.phrase) : passage);
    text.append(target);
  }
  text.append(hasPassage ? behind.replace(/^ *\n+|^ +/, "") : behind);
  const heading = make("h1", { id: "document-heading", tabindex: "-1", dir: "auto" }, title);
  const place = [found.file ?? (found.document === title || isNameless(found) ? "" : found.document), counted(found.passages.length, "passage")];
  view.replaceChildren(
    back(at, title, hasPassage && (() => reach(target))), heading,
    make("p.place", { dir: "auto" }, place.filter(Boolean).join(" · ")),
    actions(found, here, hit, target, title), text,
  );
  if (!found.text) text.append(make("p.soft", null, "This document has a title and no text."));
  if (hasPassage) reach(target);
  else scrollTo(0, 0);
  say(`${title}, ${counted(found.passages.length, "passage")}.`);
}

/** Where the passage stands in the text, in units; nothing where the address names none. */
function span(found, at) {
  if (at.start === undefined || !/^\d+$/.test(at.start)) return [0, 0];
  const units = unitsOf(found.text), start = Number(at.start);
  const passage = found.passages.find((one) => one.start === start);
  const end = /^\d+$/.test(at.end ?? "") ? Number(at.end) : (passage?.end ?? start);
  return [units(start), Math.max(units(start), units(end))];
}

function actions(found, here, hit, target, title) {
  const row = make("p.actions");
  if (here[0] >= here[1]) return row;
  row.append(similar(found.text.slice(...here), title));
  if (hit?.phrase) {
    const place = make("div");
    const button = make("button.link", { type: "button", "aria-expanded": "false" }, "Tree");
    button.onclick = () => {
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(open));
      const light = (node) => lightSpan(target, 0, node && [node.start, node.end]);
      light(null);
      place.replaceChildren(...(open ? [phraseTree(hit, light)] : []));
    };
    row.append(button);
    return make("div", null, row, place);
  }
  return row;
}

function reach(target) {
  target.focus({ preventScroll: true });
  const frame = target.getBoundingClientRect();
  const room = innerHeight - frame.height;
  scrollTo(0, scrollY + frame.top - Math.max(150, Math.min(room / 2, innerHeight * 0.3)));
}
