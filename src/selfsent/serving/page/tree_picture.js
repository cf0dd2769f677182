// The tree over a text as a picture: words on one line with brackets above, or below each other where space is narrow.

import { draw, make } from "./elements.js";
import { unitsOf } from "./marked_text.js";

const LEVEL = 22, WORD_GAP = 12, LINE = 26, MARGIN = 14, REACH = 44;
const ruler = document.createElement("canvas").getContext("2d");

/**
 * A tree as the page works with it.
 * @param {{text: string, nodes: Array}} found What `/tree` says.
 * @returns Nodes by id with the text they stand for, spans in units, children, parent, height, leaves in order.
 */
export function readyTree({ text, nodes }) {
  const units = unitsOf(text);
  const byId = new Map(nodes.map((node) => [node.id, { ...node, start: units(node.start), end: units(node.end) }]));
  const isNone = (id) => id === null || id === undefined || !byId.has(id);
  for (const node of byId.values()) {
    node.text = text.slice(node.start, node.end);
    node.children = [node.left, node.right].filter((id) => !isNone(id)).map((id) => byId.get(id));
    node.parent = isNone(node.parent) ? null : byId.get(node.parent);
  }
  const root = [...byId.values()].find((node) => !node.parent);
  for (const node of below(root).reverse()) {
    node.leaves = node.children.length ? node.children.reduce((sum, child) => sum + child.leaves, 0) : 1;
  }
  return { text, root, nodes: [...byId.values()] };
}

/** A node and all below it but what is folded, parents before children, left before right. */
function below(node, folded = new Set()) {
  const found = [], waiting = [node];
  while (waiting.length) {
    const next = waiting.pop();
    found.push(next);
    if (!folded.has(next)) waiting.push(...[...next.children].reverse());
  }
  return found;
}

/** The node whose text is most nearly a span: a phrase is given in whole words, and a node may end within one. */
export function nodeOf(tree, [start, end]) {
  const share = (node) =>
    (Math.min(end, node.end) - Math.max(start, node.start)) / (Math.max(end, node.end) - Math.min(start, node.start));
  return tree.nodes.reduce((best, node) => (share(node) > share(best) ? node : best), tree.root);
}

/**
 * Choose what of a large tree to draw around a node: its ancestors as long as there is room, and beside the way up the
 * smaller branches; larger ones are folded to a word with dots.
 * @returns {{top: Object, folded: Set}} Where to begin, and the nodes that are drawn without what is below them.
 */
export function around(node, maxLeaves) {
  const folded = new Set(), limit = Math.max(3, maxLeaves / 3);
  let top = node, room = maxLeaves - node.leaves;
  while (top.parent) {
    const beside = top.parent.children.filter((child) => child !== top);
    const needed = beside.reduce((sum, child) => sum + (child.leaves > limit ? 1 : child.leaves), 0);
    if (needed > room) break;
    for (const child of beside) if (child.leaves > limit) folded.add(child);
    room -= needed;
    top = top.parent;
  }
  return { top, folded };
}

/**
 * Draw the tree below a node.
 * @param {Object} top Where to begin.
 * @param {Object} options `label` for screen readers; `folded` nodes; `room`: width in pixels, where words are to stand below each other;
 *   `onNode(node)`: called when a node is pointed at, focused or let go of (then with the node that is chosen).
 * @returns {{element: SVGElement, choose: Function, echo: Function}} `echo` lights a node in a second colour.
 */
export function treePicture(top, { label, folded = new Set(), room = 0, onNode = () => {} }) {
  const nodes = below(top, folded);
  for (const node of [...nodes].reverse()) {
    node.shown = folded.has(node) ? [] : node.children;
    node.height = node.shown.length ? 1 + Math.max(...node.shown.map((child) => child.height)) : 0;
  }
  const isUpright = room > 0;
  const size = isUpright ? placeUpright(nodes, top, room) : placeAcross(nodes, top);
  const element = draw("svg.tree", {
    viewBox: `0 0 ${size.width} ${size.height}`, width: size.width, height: size.height, role: "tree", "aria-label": label,
  });
  const items = new Map();
  for (const node of nodes) {
    const item = itemOf(node, top, isUpright);
    items.set(node, item);
    element.append(item);
  }
  let chosen = null, lit = null;

  const light = (node) => {
    if (node === lit) return;
    lit = node;
    const inside = new Set(node ? below(node, folded) : []);
    for (const [one, item] of items) item.classList.toggle("lit", inside.has(one));
    onNode(node);
  };
  const choose = (node) => {
    items.get(chosen)?.setAttribute("aria-selected", "false");
    chosen = items.has(node) ? node : null;
    for (const [one, item] of items) {
      item.classList.toggle("chosen", one === chosen);
      item.setAttribute("tabindex", one === (chosen ?? top) ? "0" : "-1");
    }
    items.get(chosen)?.setAttribute("aria-selected", "true");
    light(chosen);
  };
  const echo = (node) => {
    const inside = new Set(node ? below(node, folded) : []);
    for (const [one, item] of items) item.classList.toggle("echo", inside.has(one));
  };

  element.addEventListener("pointermove", (event) => {
    if (event.pointerType !== "touch") light(nearest(nodes, element, event, isUpright) ?? chosen);
  });
  element.addEventListener("pointerleave", () => light(chosen));
  element.addEventListener("click", (event) => {
    const node = nearest(nodes, element, event, isUpright);
    if (node) choose(node);
  });
  element.addEventListener("focusin", (event) => light(nodes[Number(event.target.dataset.at)] ?? chosen));
  element.addEventListener("focusout", () => light(chosen));
  element.addEventListener("keydown", (event) => {
    const node = nodes[Number(event.target.dataset?.at)];
    if (!node) return;
    if (event.key === "Enter" || event.key === " ") choose(node);
    const next = neighbour(node, top, event.key, isUpright);
    if (next) {
      for (const [one, item] of items) item.setAttribute("tabindex", one === next ? "0" : "-1");
      items.get(next).focus();
    }
    if (next || event.key === "Enter" || event.key === " ") event.preventDefault();
  });
  nodes.forEach((node, number) => {
    items.get(node).dataset.at = number;
  });
  choose(null);
  return { element, choose, echo };
}

/** The node that an arrow key leads to: up and down between parent and child, left and right between neighbours. */
function neighbour(node, top, key, isUpright) {
  const turned = isUpright ? { ArrowRight: "up", ArrowLeft: "down", ArrowUp: "before", ArrowDown: "after" }
    : { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "before", ArrowRight: "after" };
  const way = turned[key];
  if (way === "up") return node === top ? null : node.parent;
  if (way === "down") return node.shown[0] ?? null;
  if (!way) return null;
  // The neighbour on a side is the next subtree there, at this height or below.
  let above = node;
  while (above !== top && above.parent.shown[way === "before" ? 0 : above.parent.shown.length - 1] === above) {
    above = above.parent;
  }
  if (above === top) return null;
  const at = above.parent.shown.indexOf(above);
  let next = above.parent.shown[way === "before" ? at - 1 : at + 1];
  while (next.height > node.height && next.shown.length) next = next.shown.at(way === "before" ? -1 : 0);
  return next;
}

function itemOf(node, top, isUpright) {
  const isLeaf = !node.shown.length;
  const item = draw("g", {
    role: "treeitem", tabindex: "-1", "aria-selected": "false", "aria-level": levelOf(node, top),
    "aria-label": node.text.trim() || "white space", ...(!isLeaf && { "aria-expanded": "true" }),
  });
  if (isLeaf) {
    item.classList.toggle("folded", node.children.length > 0);
    const anchor = isUpright ? "start" : "middle";
    item.append(
      draw("rect.ground", { x: node.box.x, y: node.box.y, width: node.box.width, height: node.box.height, rx: 4 }),
      draw("text", { x: isUpright ? node.box.x + 5 : node.x, y: node.box.y + 16, "text-anchor": anchor }, shownWord(node)),
    );
  } else {
    item.append(draw("path", { d: bracket(node, isUpright) }), draw("circle", { cx: node.x, cy: node.y, r: 3.5 }));
  }
  return item;
}

function levelOf(node, top) {
  let level = 1;
  for (let one = node; one !== top; one = one.parent) level += 1;
  return level;
}

/** The word of a leaf; of a folded node its first word, dots, and its last. */
function shownWord(node) {
  const words = node.text.trim().split(/\s+/);
  if (!node.children.length || words.length < 3) return words.join(" ") || "␣";
  return `${words[0].slice(0, 16)} … ${words.at(-1).slice(-16)}`;
}

function bracket(node, isUpright) {
  const [first, last] = [node.shown[0], node.shown.at(-1)];
  return isUpright
    ? `M${first.x} ${first.y}H${node.x}V${last.y}H${last.x}`
    : `M${first.x} ${first.y}V${node.y}H${last.x}V${last.y}`;
}

const fontOf = () => `14px ${getComputedStyle(document.body).fontFamily}`;

function placeAcross(nodes, top) {
  ruler.font = fontOf();
  const baseline = MARGIN + LEVEL * top.height;
  let x = MARGIN;
  const isToLeft = /^[^\p{L}]*[\p{Script=Hebrew}\p{Script=Arabic}]/u.test(top.text);
  for (const node of inOrder(nodes, isToLeft)) {
    const width = Math.max(14, ruler.measureText(shownWord(node)).width + 10);
    Object.assign(node, { x: x + width / 2, y: baseline, box: { x, y: baseline + 2, width, height: 22 } });
    x += width + WORD_GAP - 10;
  }
  for (const node of [...nodes].reverse()) {
    if (!node.shown.length) continue;
    node.x = (node.shown[0].x + node.shown.at(-1).x) / 2;
    node.y = baseline - LEVEL * node.height;
  }
  return { width: Math.ceil(x - WORD_GAP + 10 + MARGIN), height: baseline + 24 + MARGIN };
}

const inOrder = (nodes, isToLeft) => {
  const leaves = nodes.filter((node) => !node.shown.length);
  return isToLeft ? leaves.reverse() : leaves;
};

function placeUpright(nodes, top, room) {
  ruler.font = fontOf();
  const leaves = nodes.filter((node) => !node.shown.length);
  const widest = Math.max(...leaves.map((node) => ruler.measureText(shownWord(node)).width)) + 10;
  const level = Math.max(5, Math.min(LEVEL, (room - 2 * MARGIN - widest - 8) / Math.max(1, top.height)));
  leaves.forEach((node, number) => {
    const y = MARGIN + LINE * number + LINE / 2;
    const width = Math.max(14, ruler.measureText(shownWord(node)).width + 10);
    Object.assign(node, { x: MARGIN + width, y, box: { x: MARGIN, y: y - 11, width, height: 22 } });
  });
  for (const node of [...nodes].reverse()) {
    if (!node.shown.length) continue;
    node.x = MARGIN + widest + 4 + level * node.height;
    node.y = (node.shown[0].y + node.shown.at(-1).y) / 2;
  }
  return { width: Math.ceil(8 + MARGIN + widest + 4 + level * top.height), height: MARGIN * 2 + LINE * leaves.length };
}

/** The node whose word or joint is nearest to the pointer, so that no one has to hit a thin line. */
function nearest(nodes, element, event, isUpright) {
  const frame = element.getBoundingClientRect(), scale = element.viewBox.baseVal.width / frame.width;
  const x = (event.clientX - frame.left) * scale, y = (event.clientY - frame.top) * scale;
  let found = null, least = REACH;
  for (const node of nodes) {
    const distance = node.shown.length ? fromBracket(node, x, y, isUpright) : fromBox(node.box, x, y);
    if (distance < least) [found, least] = [node, distance];
  }
  return found;
}

function fromBox(box, x, y) {
  return Math.hypot(Math.max(box.x - x, 0, x - box.x - box.width), Math.max(box.y - y, 0, y - box.y - box.height));
}

/** Distance from the bar of a bracket; the joint counts as nearer, so that small brackets win over what runs past. */
function fromBracket(node, x, y, isUpright) {
  const [first, last] = [node.shown[0], node.shown.at(-1)];
  const bar = isUpright
    ? { x: node.x, y: Math.min(first.y, last.y), width: 0, height: Math.abs(last.y - first.y) }
    : { x: Math.min(first.x, last.x), y: node.y, width: Math.abs(last.x - first.x), height: 0 };
  return fromBox(bar, x, y) + 1;
}

/** A place for a picture that may be wider than the page: it scrolls by itself. */
export function scrolling(element, label) {
  return make("div.scrolls", { tabindex: "0", role: "region", "aria-label": label }, element);
}
