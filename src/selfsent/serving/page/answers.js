// One answer as an element: the passage with its marks, its tree, and what can be done with it.

import { addressOf, follow } from "./addresses.js";
import { make } from "./elements.js";
import { placeOf } from "./hits.js";
import { excerpt, lightSpan, markedText } from "./marked_text.js";
import { phraseTree } from "./phrase_tree.js";

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
