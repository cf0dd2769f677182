// Two sentences compared: their similarity, and their trees side by side with the phrases that answer each other.

import { addressOf, parts, rewrite } from "./addresses.js";
import { draw, find, make, settled } from "./elements.js";
import { roomIn } from "./phrase_tree.js";
import { calm, complain, say } from "./notices.js";
import * as service from "./service.js";
import { readyTree, scrolling, treePicture } from "./tree_picture.js";

const PAUSE_MS = 300;
const MAX_LEAVES = 60;
const view = find("view-compare");
const fields = ["first", "second"].map((name) =>
  make("textarea", { id: `sentence-${name}`, rows: "3", maxlength: "2000", dir: "auto" }),
);
const outcome = make("div.outcome"), trees = make("div.trees");
view.append(
  make("h1", { id: "compare-heading", tabindex: "-1" }, "Compare two sentences"),
  make("p.lead", null, "How near are they to each other, as the model reads them?"),
  make(
    "div.pair", null,
    ...fields.map((field, at) => make("p", null, make("label", { for: field.id }, `${at ? "Second" : "First"} sentence`), field)),
  ),
  outcome, trees,
);

let request = null, hasTrees = true;

/** Show what the address compares. */
export async function enter() {
  document.title = "Compare: selfsent";
  const at = parts();
  [at.a ?? "", at.b ?? ""].forEach((text, number) => {
    if (fields[number].value.trim() !== text) fields[number].value = text;
  });
  await compare();
}

const typed = settled(() => {
  const [a, b] = fields.map((field) => field.value.trim());
  rewrite(addressOf({ view: "compare", a, b }));
  compare();
}, PAUSE_MS);
for (const field of fields) field.addEventListener("input", (event) => event.isComposing || typed());

async function compare() {
  const pair = fields.map((field) => field.value.trim());
  request?.abort();
  request = new AbortController();
  const { signal } = request;
  if (!pair.every(Boolean)) {
    outcome.replaceChildren(make("p.soft", null, "Write a sentence in each field."));
    trees.replaceChildren();
    return;
  }
  try {
    const [similarity] = await service.similarities([pair], signal);
    calm();
    const level = (await service.facts().catch(() => null))?.store?.weak_below;
    outcome.replaceChildren(...gauge(similarity, level));
    say(`Similarity ${number(similarity)}.`);
    if (hasTrees) await showTrees(pair, signal);
  } catch (error) {
    if (error.name !== "AbortError") outcome.replaceChildren();
    complain(error, compare);
  }
}

const number = (value) => (typeof value === "number" ? value.toFixed(3) : "not known");

function gauge(value, level) {
  const at = typeof value === "number" ? Math.max(-1, Math.min(1, value)) : 0;
  const place = (from) => 14 + 194 * (from + 1);
  const scale = draw(
    "svg.gauge", { viewBox: "0 0 416 32", "aria-hidden": "true" },
    draw("path.rule", { d: `M${place(-1)} 8H${place(1)}` }),
    draw("path.reach", { d: `M${place(0)} 8H${place(at)}` }),
    ...[-1, 0, 1].flatMap((tick) => [
      draw("path.rule", { d: `M${place(tick)} 5V11` }), draw("text", { x: place(tick), y: 28, "text-anchor": "middle" }, String(tick)),
    ]),
    ...(level ? [draw("path.level", { d: `M${place(level)} 1V15` })] : []),
    draw("circle", { cx: place(at), cy: 8, r: 6 }),
  );
  return [
    make("p.figure", null, make("b", null, number(value)), make("span.soft", null, " cosine similarity")),
    scale,
    level && make("p.soft", null, make("span.level", { "aria-hidden": "true" }), `Texts of this store drawn at random hardly ever reach ${number(level)}.`),
  ].filter(Boolean);
}

// --- trees -----------------------------------------------------------------------------------------------------

async function showTrees(pair, signal) {
  let found;
  try {
    found = await Promise.all(pair.map((text) => service.tree(text, signal)));
  } catch (error) {
    if (error.name === "AbortError") throw error;
    // The model has no trees: that is not an error of the reader, who is told no more than the similarity.
    if (error.status >= 400 && error.status < 500) {
      hasTrees = pair.some((text) => text.length > 1000);
      trees.replaceChildren();
      return;
    }
    throw error;
  }
  const ready = found.map(readyTree);
  if (ready.some((tree) => tree.root.leaves > MAX_LEAVES * 4)) {
    trees.replaceChildren(make("p.soft", null, "Trees are drawn for shorter sentences."));
    return;
  }
  const caption = make("p.soft.caption", { role: "status" }, "Point at a node of one tree: the phrase of the other that is nearest to it lights up.");
  const drawn = [];
  ready.forEach((tree, side) => {
    drawn[side] = treePicture(tree.root, {
      label: `Tree of the ${side ? "second" : "first"} sentence`, room: roomIn(trees),
      onNode: (node) => answerOf(node, ready[1 - side], drawn[1 - side], caption),
    });
  });
  const isWide = drawn.some(({ element }) => Number(element.getAttribute("width")) > trees.clientWidth / 2 - 24);
  trees.classList.toggle("stacked", isWide);
  trees.replaceChildren(
    ...drawn.map(({ element }, side) =>
      make("figure", null, scrolling(element, `Drawing of the ${side ? "second" : "first"} tree`)),
    ), caption,
  );
}

const known = new Map();
let asking = null;

const ask = settled(async (node, other, picture, caption) => {
  asking?.abort();
  asking = new AbortController();
  const candidates = other.nodes.filter((one) => one.text.trim());
  const key = JSON.stringify([node.text, other.text]);
  try {
    if (!known.has(key)) known.set(key, await service.similarities(candidates.map((one) => [node.text, one.text]), asking.signal));
    const values = known.get(key).map((value) => (typeof value === "number" ? value : -Infinity));
    const best = values.indexOf(Math.max(...values));
    picture.echo(candidates[best]);
    caption.replaceChildren(
      make("q", { dir: "auto" }, node.text.trim()), " is nearest to ", make("q", { dir: "auto" }, candidates[best].text.trim()),
      `: ${number(values[best])}`,
    );
  } catch (error) {
    complain(error);
  }
}, 90);

function answerOf(node, other, picture, caption) {
  if (node) ask(node, other, picture, caption);
  else {
    ask.cancel();
    picture?.echo(null);
  }
}
