// What the page speaks with: the model, the store, how it was measured.

import { count, find, make } from "./elements.js";
import { calm, complain } from "./notices.js";
import * as service from "./service.js";

const view = find("view-about");
const NAMES = {
  max_tokens: "tokens read of a text", fusion_weight: "weight of meaning in Both", weak_below: "weak answers have a cosine below",
  vector_index: "approximate index of vectors",
};

/** Show the facts, as the service has them now. */
export async function enter() {
  document.title = "About: selfsent";
  const heading = make("h1", { id: "about-heading", tabindex: "-1" }, "About this search");
  if (!view.childElementCount) view.replaceChildren(heading, make("p.soft", null, "…"));
  try {
    const facts = await service.facts({ isFresh: true });
    calm();
    const shown = view.querySelector("h1") ?? heading;
    view.replaceChildren(shown, ...[report(facts), ...tables(facts), keys(), programs(), forgetting()].filter(Boolean));
  } catch (error) {
    complain(error, () => enter());
  }
}

function report(facts) {
  if (!facts.report) return null;
  // A browser sends no key when it follows a link, so behind a key the report is fetched and saved.
  const way = service.hasKey()
    ? make("button.link", { type: "button", click: save }, "Save the report of the build")
    : make("a", { href: "report" }, "Report of the build");
  return make(
    "p", null, way,
    ": what was read and what was not, and how well the search finds, measured without labels.",
  );
}

async function save() {
  try {
    const address = URL.createObjectURL(await service.report());
    make("a", { href: address, download: "report.html" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
  } catch (error) {
    complain(error, save);
  }
}

function tables(facts) {
  return [["Model", facts.model], ["Store", withWeak(facts.store)]].filter(([, values]) => values && Object.keys(values).length)
    .flatMap(([name, values]) => [make("h2", null, name), listOf(values)]);
}

/** Say that no answer is hidden as weak where the store has no level: a small store tells none apart. */
function withWeak(store) {
  return store?.weak_below === null ? { ...store, weak_answers: "none is hidden in a store this small" } : store;
}

function listOf(values) {
  return make(
    "dl", null,
    ...Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "").flatMap(([name, value]) => [
      make("dt", null, NAMES[name] ?? name.replace(/_/g, " ")), make("dd", { dir: "auto" }, shown(value)),
    ]),
  );
}

function shown(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(4)));
  if (Array.isArray(value)) return value.map(shown).join(", ") || "none";
  if (typeof value === "object") return Object.entries(value).map(([name, one]) => `${name.replace(/_/g, " ")}: ${shown(one)}`).join("; ");
  return String(value);
}

function keys() {
  const rows = [
    ["/", "to the search field, from anywhere"], ["↓ ↑", "from the field to the answers, and through them"],
    ["Enter", "opens the answer"], ["Esc", "back: to the field, or from a document to the answers"],
    ["arrows", "in a tree: to the parent, a child, a neighbour; on the map: move"], ["+ − 0", "on the map: nearer, farther, all of it"],
  ];
  const items = rows.flatMap(([key, what]) => [make("dt", null, make("kbd", null, key)), make("dd", null, what)]);
  return make("div", null, make("h2", null, "Keys"), make("dl", null, ...items));
}

function forgetting() {
  if (!service.hasKey()) return null;
  const button = make("button", { type: "button" }, "Forget the key");
  button.onclick = () => {
    service.forgetKey();
    button.replaceWith(make("span.soft", { role: "status" }, "The key is forgotten."));
  };
  return make("p", null, button);
}

function programs() {
  return make(
    "div", null, make("h2", null, "For programs"),
    make(
      "p", null, "Everything on this page is asked over HTTP: ", make("a", { href: "docs" }, "what can be asked"), ", and ",
      make("a", { href: "openapi.json" }, "the same as OpenAPI"), ".",
    ),
  );
}
