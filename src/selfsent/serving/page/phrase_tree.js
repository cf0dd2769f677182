// The tree of a passage around the phrase that matched: point at a node, and see which passages are nearest to it.

import { addressOf, follow } from "./addresses.js";
import { make, settled } from "./elements.js";
import { readyHit, shortAnswer } from "./hits.js";
import { complain, say } from "./notices.js";
import * as service from "./service.js";
import { around, nodeOf, readyTree, scrolling, treePicture } from "./tree_picture.js";

const SHOWN_LEAVES = [14, 28, 56, Infinity];
const NUM_NEAR = 5;
const PAUSE_MS = 140;

/** The width of a place where words stand below each other, since it is narrow; 0 where they stand on a line. */
export const roomIn = (place) => (matchMedia("(max-width: 40rem)").matches ? place.clientWidth : 0);

/**
 * Make the part of an answer that shows its tree; it fills itself when the service has answered.
 * @param {Object} hit The answer.
 * @param {Function} light Called with the node that is pointed at, or chosen.
 */
export function phraseTree(hit, light) {
  const picture = make("div.picture"), near = nearPassages(hit.document);
  const wider = make("button", { type: "button" }, "Wider"), closer = make("button", { type: "button" }, "Closer");
  const element = make(
    "div.phrase-tree", { "aria-busy": "true" },
    make("div.drawn", null, picture, make("p.buttons", null, wider, closer)), near.element,
  );
  service.tree(hit.text).then((found) => {
    element.removeAttribute("aria-busy");
    const tree = readyTree(found);
    const start = hit.phrase ? nodeOf(tree, hit.phrase) : tree.root;
    let width = 0;
    const redraw = () => {
      const { top, folded } = around(start, SHOWN_LEAVES[width]);
      const drawn = treePicture(top, {
        label: `Tree of “${top.text.slice(0, 80)}”`, folded, room: roomIn(picture),
        onNode: (node) => {
          near.show(node);
          light(node);
        },
      });
      picture.replaceChildren(scrolling(drawn.element, `Drawing of the tree in ${hit.title}`));
      drawn.choose(start);
      if (!roomIn(picture)) picture.firstChild.scrollLeft = Math.max(0, start.x - picture.clientWidth / 2);
      wider.disabled = !top.parent && !folded.size;
      closer.disabled = width === 0;
    };
    wider.onclick = () => {
      width += 1;
      redraw();
    };
    closer.onclick = () => {
      width -= 1;
      redraw();
    };
    redraw();
  }, (error) => {
    element.remove();
    complain(error);
  });
  return element;
}

const found = new Map();

/** Make a list of the passages nearest to a text, which follows what is pointed at. */
function nearPassages(ownDocument) {
  const heading = make("h3"), list = make("ol"), more = make("p");
  const element = make("div.near", null, heading, list, more);
  let request = null, at = null;
  const ask = settled(async (text) => {
    request?.abort();
    request = new AbortController();
    try {
      if (!found.has(text)) found.set(text, await nearest(text, request.signal));
      if (at !== text) return;
      const hits = found.get(text);
      list.replaceChildren(...hits.map((hit) => shortAnswer(hit)));
      const href = addressOf({ q: text.slice(0, 400), mode: "vector" });
      more.replaceChildren(make("a.link", { href, click: follow }, "Search for this phrase"));
      const others = hits.filter((hit) => hit.document !== ownDocument).length;
      say(`Nearest to “${text.slice(0, 60)}”: ${hits.length ? hits[0].title : "nothing"}${others > 1 ? ` and ${others - 1} more` : ""}.`);
    } catch (error) {
      if (error.name === "AbortError" || at !== text) return;
      list.replaceChildren(make("li.soft", null, error.message));
      more.replaceChildren();
    } finally {
      if (at === text) element.removeAttribute("aria-busy");
    }
  }, PAUSE_MS);
  const show = (node) => {
    const text = node ? node.text.trim().replace(/\s+/g, " ") : "";
    if (!text || text === at) return;
    at = text;
    element.setAttribute("aria-busy", "true");
    heading.replaceChildren("Nearest to ", make("q", { dir: "auto" }, text.length > 90 ? `${text.slice(0, 89)}…` : text));
    ask(text);
  };
  return { element, show };
}

async function nearest(text, signal) {
  const answered = await service.search({ query: text.slice(0, 2000), k: NUM_NEAR, mode: "vector", all: true }, signal);
  return answered.hits.slice(0, NUM_NEAR).map(readyHit);
}
