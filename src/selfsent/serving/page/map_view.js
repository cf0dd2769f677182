// The map of the corpus: passages with near vectors stand near each other; answers to the query light up.

import { follow, go, parts } from "./addresses.js";
import { count, counted, find, make, prefersStill, settled, shortened } from "./elements.js";
import { addressOfPoint, mapList, titleOf } from "./map_list.js";
import { MapPicture } from "./map_picture.js";
import { listenTo } from "./map_pointer.js";
import { calm, complain, say } from "./notices.js";
import * as search from "./search_view.js";
import * as service from "./service.js";

const NUM_COLOURS = 12;
const NUM_LIT = 20;
const MANY = 8000;
const view = find("view-map");
let data = null, picture = null, list = null, shownParts = null, request = null, lighting = null;
let lit = null, chosenGroups = new Set(), lassoed = null, isWaiting = false;

/** Show the map, and on it the answers to the query of the address. */
export async function enter() {
  document.title = "Map: selfsent";
  search.fill(parts());
  if (!data) await load();
  if (!data) return;
  resize();
  await light();
}

export function leave() {
  request?.abort();
  lighting?.abort();
}

export const typed = () => light();

/** Escape lets go of the lasso, then of the groups. */
export function onEscape() {
  if (shownParts?.lasso.getAttribute("aria-pressed") === "true") shownParts.lasso.click();
  else if (lassoed) letGo();
  else if (chosenGroups.size) {
    chosenGroups.clear();
    shade();
  } else return false;
  return true;
}

function letGo() {
  lassoed = null;
  if (document.activeElement === shownParts.free) shownParts.lasso.focus();
  shade();
}

async function load() {
  request?.abort();
  request = new AbortController();
  const heading = make("h1", { id: "map-heading", tabindex: "-1" }, "Map of the documents");
  const line = make("p.soft", { role: "status" }, "Fetching the map …");
  view.replaceChildren(heading, line);
  view.setAttribute("aria-busy", "true");
  try {
    const found = await service.mapOfCorpus(() => {
      line.textContent = "The map is being laid out; this can take a minute the first time …";
    }, request.signal);
    calm();
    data = { ...found, groupNames: (found.groups ?? []).map((group) => group?.name ?? String(group)) };
    if (data.x.length) build(heading);
    else {
      line.textContent = "There is nothing to lay out: the store holds no passages with vectors.";
      data = null;
    }
  } catch (error) {
    if (error.name !== "AbortError") line.textContent = "There is no map to show.";
    complain(error, () => enter());
  } finally {
    view.removeAttribute("aria-busy");
  }
}

function build(heading) {
  const canvas = make("canvas", {
    tabindex: "0", role: "application", "aria-roledescription": "map", "aria-label": `Map of ${counted(data.x.length, "passage")}`,
    "aria-describedby": "map-help",
  });
  const tip = make("div.tip", { hidden: true });
  const lasso = make("button", { type: "button", "aria-pressed": "false" }, "Lasso");
  const free = make("button", { type: "button", hidden: true, click: () => letGo() }, "Clear lasso");
  const buttons = make(
    "div.map-buttons", { role: "group", "aria-label": "Map" },
    make("button", { type: "button", "aria-label": "Zoom in", click: () => zoom(1.6) }, "+"),
    make("button", { type: "button", "aria-label": "Zoom out", click: () => zoom(1 / 1.6) }, "−"),
    make("button", { type: "button", click: () => whole() }, "Whole map"), lasso, free,
  );
  lasso.onclick = () => {
    const on = lasso.getAttribute("aria-pressed") !== "true";
    lasso.setAttribute("aria-pressed", String(on));
    canvas.classList.toggle("lasso", on);
    if (on) say("Draw a line around passages; they are listed beside the map.");
  };
  list = mapList(data, (points) => {
    picture.ringed = points;
    redraw();
  });
  const legend = make("ul.legend", { "aria-label": "Groups of passages" }, ...data.groupNames.map(groupButton));
  shownParts = { canvas, tip, lasso, legend, free };
  view.replaceChildren(
    make("div.map-head", null, heading, make("p.soft", null, whatIsShown())),
    make(
      "div.map-room", null,
      make("div.map-frame", null, canvas, tip, buttons),
      make("div.map-side", null, make("h2", null, "Groups"), legend, make("h2", null, "Documents"), list.element),
    ),
    make(
      "p.soft", { id: "map-help" },
      "Passages that are alike stand near each other. Drag to move, turn the wheel or pinch to zoom, click a passage to read it. " +
        "With Lasso, or with Shift, a drag draws a line around passages. Keys: arrows, + and −, 0 for all.",
    ),
  );
  picture = new MapPicture(canvas, data);
  picture.labels = labels();
  picture.titleOf = (at) => titleOf(data, at);
  listenTo(picture, {
    moved: () => { move(); listSoon(); },
    pointed: point,
    chosen: (at) => go(addressOfPoint(data, at)),
    drawn: (line) => {
      lassoed = picture.within(line);
      if (lasso.getAttribute("aria-pressed") === "true") {
        lasso.setAttribute("aria-pressed", "false");
        canvas.classList.remove("lasso");
      }
      if (!lassoed.length) lassoed = null;
      shade();
      say(lassoed ? `${counted(lassoed.length, "passage")} in the lasso.` : "No passage in the lasso.");
    },
    isLasso: () => lasso.getAttribute("aria-pressed") === "true",
  });
  colour();
  addEventListener("themechange", () => requestAnimationFrame(() => { colour(); redraw(); }));
  new ResizeObserver(resize).observe(canvas);
}

function whatIsShown() {
  const all = data.passages ?? data.x.length;
  return all > data.x.length
    ? `${count(data.x.length)} of ${count(all)} passages, drawn at random.`
    : `${counted(data.x.length, "passage")} of ${counted(new Set(data.document).size, "document")}.`;
}

function groupButton(name, group) {
  const size = data.group.reduce((sum, one) => sum + (one === group), 0);
  const button = make(
    "button", { type: "button", "aria-pressed": "false", dir: "auto" },
    make(`span.dot.g${group % NUM_COLOURS}`, null), name || `group ${group + 1}`, make("small", null, ` ${count(size)}`),
  );
  button.dataset.group = group;
  button.onclick = () => {
    if (!chosenGroups.delete(group)) chosenGroups.add(group);
    shade();
  };
  return make("li", null, button);
}

/** Put the name of each group where the middle of its points is, on one of them. */
function labels() {
  return data.groupNames.map((name, group) => {
    const points = [];
    for (let at = 0; at < data.group.length; at += 1) if (data.group[at] === group) points.push(at);
    if (!points.length) return null;
    const middle = (values) => points.map((at) => values[at]).sort((one, other) => one - other)[points.length >> 1];
    const [x, y] = [middle(data.x), middle(data.y)];
    const near = points.reduce((best, at) => (gap(at, x, y) < gap(best, x, y) ? at : best));
    return { x: data.x[near], y: data.y[near], text: shortened(name, 42), group };
  }).filter(Boolean);
}

const gap = (at, x, y) => (data.x[at] - x) ** 2 + (data.y[at] - y) ** 2;

/** Read the colours of the theme from the page's style. */
function colour() {
  const probe = make("span", { hidden: true });
  view.append(probe);
  const read = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).map(Number).map(Math.round);
  };
  picture.colours = {
    ground: read("--raised"), ink: read("--ink"), soft: read("--edge"),
    groups: Array.from({ length: NUM_COLOURS }, (_, group) => read(`--g${group}`)),
  };
  probe.remove();
}

function resize() {
  if (view.hidden || !picture || !picture.canvas.clientWidth) return;
  picture.fit();
  redraw();
}

function redraw() {
  if (isWaiting) return;
  isWaiting = true;
  requestAnimationFrame(() => {
    isWaiting = false;
    picture.draw();
  });
}

/** Draw while the view moves: many points roughly, on screens with small pixels, and finely once it rests. */
function move() {
  if (data.x.length > MANY) {
    picture.fit(true);
    resting();
  }
  redraw();
}

const resting = settled(() => resize(), 180);

// --- what is lit, and what is listed ---------------------------------------------------------------------------

async function light() {
  if (!data) return;
  const query = search.asked();
  lighting?.abort();
  lighting = new AbortController();
  if (!query.q) {
    lit = null;
    calm();
    shade();
    return;
  }
  try {
    const { hits } = await search.answersTo(query, { k: NUM_LIT }, lighting.signal);
    calm();
    lit = litBy(hits);
    shade();
    const onMap = new Set([...lit.keys()].map((at) => data.document[at]));
    say(`${counted(hits.length, "document")} found, ${count(onMap.size)} of them on the map.`);
  } catch (error) {
    complain(error, light);
  }
}

/**
 * Find the points of answers: the passage that answered, and less bright the others of its document. Where the map does
 * not hold that passage, all of the document stand for it.
 * @returns {Map<number, {rank: number, isBest: boolean}>} By the number of the point.
 */
function litBy(hits) {
  const ranks = new Map(hits.map((hit, rank) => [hit.document, rank]));
  const found = new Map(), best = new Set();
  data.document.forEach((document, at) => {
    const rank = ranks.get(document);
    if (rank === undefined) return;
    const isBest = data.start?.[at] === hits[rank].start;
    if (isBest) best.add(document);
    found.set(at, { rank, isBest });
  });
  for (const [at, one] of found) one.isBest ||= !best.has(data.document[at]);
  return found;
}

function litPoints() {
  const order = (at) => lit.get(at).rank + (lit.get(at).isBest ? 0 : 0.5);
  return [...lit.keys()].filter(isInGroup).sort((one, other) => order(one) - order(other));
}

const isInGroup = (at) => !chosenGroups.size || chosenGroups.has(data.group[at]);

function shade() {
  shownParts.free.hidden = !lassoed;
  const inLasso = lassoed && new Set(lassoed);
  const isShown = (at) => isInGroup(at) && (!inLasso || inLasso.has(at));
  picture.shade(isShown, lit && ((at) => (lit.has(at) ? (lit.get(at).isBest ? 2 : 1) : 0)));
  for (const label of picture.labels) label.isDim = Boolean(lit || lassoed || (chosenGroups.size && !chosenGroups.has(label.group)));
  for (const button of shownParts.legend.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(chosenGroups.has(Number(button.dataset.group))));
  }
  redraw();
  listNow();
}

function listNow() {
  if (lassoed) {
    const points = lassoed.filter((at) => isInGroup(at) && (!lit || lit.has(at)));
    list.show(points, (num) => `${counted(num, "document")} in the lasso`);
  } else if (lit) list.show(litPoints(), (num) => `${counted(num, "document")} on the map for “${search.asked().q.slice(0, 40)}”`);
  else {
    const points = picture.inSight().filter(isInGroup);
    list.show(points, (num) => `${counted(num, "document")} in sight`);
  }
}

const listSoon = settled(() => lassoed || lit || listNow(), 200);

// --- moving ----------------------------------------------------------------------------------------------------

function point(at, left, top) {
  const { tip, canvas } = shownParts;
  canvas.classList.toggle("pointing", at >= 0);
  const ringed = at >= 0 ? [at] : [];
  if (picture.ringed[0] !== ringed[0]) {
    picture.ringed = ringed;
    redraw();
  }
  tip.hidden = at < 0;
  if (at < 0) return;
  const isTouch = matchMedia("(hover: none)").matches;
  const title = titleOf(data, at);
  tip.replaceChildren(
    isTouch ? make("a", { href: addressOfPoint(data, at), dir: "auto", click: follow }, title) : make("b", { dir: "auto" }, title),
    make("span", { dir: "auto" }, data.text?.[at] ?? data.groupNames[data.group[at]] ?? ""),
  );
  const room = tip.parentElement.clientWidth - tip.offsetWidth - 8;
  tip.style.left = `${Math.max(8, Math.min(room, left + 14))}px`;
  tip.style.top = `${top + tip.offsetHeight + 24 > canvas.clientHeight ? top - tip.offsetHeight - 12 : top + 16}px`;
}

function zoom(factor) {
  const { canvas } = picture;
  animate((share) => picture.zoomAt(canvas.clientWidth / 2, canvas.clientHeight / 2, factor ** share));
}

function whole() {
  const from = { ...picture.view };
  picture.whole();
  const to = { ...picture.view };
  picture.view = from;
  let done = 0;
  animate((share) => {
    done += share;
    const at = (name) => from[name] + (to[name] - from[name]) * done;
    picture.view = { x: at("x"), y: at("y"), zoom: from.zoom * (to.zoom / from.zoom) ** done };
  });
}

/** Do something in small shares that add up to 1; all at once for readers who want no motion. */
function animate(step) {
  const frames = prefersStill() ? 1 : 12;
  let left = frames;
  const next = () => {
    step(1 / frames);
    left -= 1;
    move();
    if (left > 0) requestAnimationFrame(next);
    else listSoon();
  };
  next();
}
