// Answers of the service, made ready to show, and one answer as an element.

import { isNameless, make, nameOf } from "./elements.js";
import { addressOf, follow, parts } from "./addresses.js";
import { excerpt, lightSpan, markedText, spansIn } from "./marked_text.js";
import { phraseTree } from "./phrase_tree.js";

/** Take what `/search` says of an answer, its spans in units of JavaScript's strings. */
export function readyHit(hit) {
  const spans = (kind) => (hit.matches ?? []).filter((match) => match.kind === kind).map(({ start, end }) => [start, end]);
  return {
    ...hit,
    title: nameOf(hit, hit.text),
    isNameless: isNameless(hit),
    words: spansIn(hit.text, spans("word")),
    phrase: spansIn(hit.text, spans("phrase"))[0] ?? null,
  };
}

/** The address of the document at the passage of an answer; it keeps the question, for the way back. */
function placeOf(hit) {
  const { q, mode, where } = parts();
  return addressOf({ view: "document", id: hit.document, start: hit.start, end: hit.end, q, mode, where });
}

/** Draw an answer: title, place, the passage with its marks, and what can be done with it. */
export function answer(hit) {
  // A text without a name is its own title.
  const title = make("a", { href: placeOf(hit), dir: "auto", click: follow }, hit.isNameless ? null : hit.title);
  const text = hit.isNameless ? title : make("p.passage", { dir: "auto" });
  text.classList.add("passage");
  const part = excerpt(hit.text, hit.words, hit.phrase);
  const content = make("span");
  const show = ([from, to], isWhole = false) => {
    content.replaceChildren(markedText(hit.text, hit.words, hit.phrase, from, to));
    text.replaceChildren(from > 0 ? "… " : "", content, to < hit.text.length ? " …" : "");
    text.classList.toggle("whole", isWhole);
    Object.assign(text.dataset, { from, to });
  };
  show(part);
  const item = make(
    "li.answer",
    null,
    make("h2", null, title),
    hit.isNameless
      ? null
      : make("p.place", null, make("span", { dir: "auto" }, placeName(hit)), make("span.score", { title: "score" }, score(hit))),
    hit.isNameless ? null : text,
  );
  const showPhrase = () => {
    const [from, to] = [Number(text.dataset.from), Number(text.dataset.to)];
    if (hit.phrase[0] < from || hit.phrase[1] > to) show(excerpt(hit.text, [], hit.phrase));
  };
  item.append(actions(hit, item, part, showPhrase, () => show([0, hit.text.length], true)));
  return item;
}

/** A short list of passages, for what is near a phrase. */
export function shortAnswer(hit) {
  const [from, to] = excerpt(hit.text, hit.words, hit.phrase, 140);
  return make(
    "li",
    null,
    make("a", { href: placeOf(hit), dir: "auto", click: follow }, hit.title),
    make("p", { dir: "auto" }, from > 0 ? "… " : "", hit.text.slice(from, to), to < hit.text.length ? " …" : ""),
  );
}

const score = (hit) => (typeof hit.score === "number" ? hit.score.toFixed(2) : "");

function placeName(hit) {
  const name = hit.file || (hit.document === hit.title || hit.isNameless ? "" : hit.document);
  const at = hit.line ? `:${hit.line}` : hit.page ? ` p. ${hit.page}` : "";
  return name ? `${name}${at}` : "";
}

function actions(hit, item, [from, to], showPhrase, showWhole) {
  const row = make("p.actions");
  if (hit.phrase) {
    const button = make("button.link", { type: "button", "aria-expanded": "false" }, "Tree");
    button.setAttribute("aria-label", `Tree of the phrase in ${hit.title}`);
    let drawn = null;
    button.onclick = () => {
      const open = button.getAttribute("aria-expanded") !== "true";
      button.setAttribute("aria-expanded", String(open));
      if (open) showPhrase();
      if (open && !drawn) item.append((drawn = phraseTree(hit, (node) => lightIn(item, node))));
      drawn.hidden = !open;
      if (!open) lightIn(item, null);
    };
    row.append(button);
  }
  if (from > 0 || to < hit.text.length) {
    const whole = make("button.link", { type: "button", "aria-label": `Whole passage of ${hit.title}` }, "Whole passage");
    whole.onclick = () => {
      if (document.activeElement === whole) item.querySelector("h2 a").focus({ preventScroll: true });
      showWhole();
      whole.remove();
    };
    row.append(whole);
  }
  row.append(similar(hit.text, hit.title));
  return row;
}

function lightIn(item, node) {
  const text = item.querySelector(".passage");
  lightSpan(text.querySelector("span"), Number(text.dataset.from), node && [node.start, node.end]);
}

/** A link that searches for passages like a text. */
export function similar(text, title) {
  const href = addressOf({ q: text.slice(0, 400).trim(), mode: "vector" });
  return make("a.link", { href, click: follow, "aria-label": `More like the passage of ${title}` }, "More like this");
}
