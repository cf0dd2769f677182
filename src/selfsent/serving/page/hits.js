// Hits of the service, made ready to show, with their addresses; and a hit in short.

import { addressOf, follow, parts } from "./addresses.js";
import { isNameless, make, nameOf } from "./elements.js";
import { excerpt, spansIn } from "./marked_text.js";

/** Take what `/search` says of a hit, its spans in units of JavaScript's strings. */
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

/** The address of the document at the passage of a hit; it keeps the question, for the way back. */
export function placeOf(hit) {
  const { q, mode, where } = parts();
  return addressOf({ view: "document", id: hit.document, start: hit.start, end: hit.end, q, mode, where });
}

/** Draw a hit as an item of a short list: its title and an excerpt. */
export function shortAnswer(hit) {
  const [from, to] = excerpt(hit.text, hit.words, hit.phrase, 140);
  return make(
    "li",
    null,
    make("a", { href: placeOf(hit), dir: "auto", click: follow }, hit.title),
    make("p", { dir: "auto" }, from > 0 ? "… " : "", hit.text.slice(from, to), to < hit.text.length ? " …" : ""),
  );
}
