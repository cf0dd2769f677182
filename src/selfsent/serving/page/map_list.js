// The table beside the map: the same documents for those who read and type rather than point.

import { addressOf, follow, parts } from "./addresses.js";
import { count, make, nameOf } from "./elements.js";

const SHOWN = 50;

/**
 * Make the table.
 * @param {Object} data What `/map` says.
 * @param {Function} pointed Called with the points of the document that is pointed at or focused; none when it is left.
 */
export function mapList(data, pointed) {
  const caption = make("caption"), body = make("tbody");
  const more = make("button", { type: "button", hidden: true }, "More documents");
  const table = make(
    "table.map-list", null, caption,
    make("thead", null, make("tr", null, ...["Document", "Group", "Passages"].map((name) => make("th", { scope: "col" }, name)))),
    body,
  );
  let rows = [];

  const append = () => {
    const shown = body.childElementCount;
    body.append(...rows.slice(shown, shown + SHOWN).map((row) => rowOf(row, data, pointed)));
    more.hidden = body.childElementCount >= rows.length;
  };
  more.onclick = () => {
    const before = body.childElementCount;
    append();
    body.children[before]?.querySelector("a").focus();
  };

  /** Show the documents of points; the order of the points is that of the documents. */
  const show = (points, line) => {
    const byDocument = new Map();
    for (const at of points) {
      const known = byDocument.get(data.document[at]);
      if (known) known.push(at);
      else byDocument.set(data.document[at], [at]);
    }
    rows = [...byDocument.values()];
    caption.textContent = line(rows.length);
    body.replaceChildren();
    table.hidden = !rows.length;
    append();
  };
  return { element: make("div", null, table, more), show };
}

function rowOf(points, data, pointed) {
  const [first] = points;
  const row = make(
    "tr", null,
    make("th", { scope: "row" }, make("a", { href: addressOfPoint(data, first), click: follow, dir: "auto" }, titleOf(data, first))),
    make("td", { dir: "auto" }, data.groupNames[data.group[first]] ?? ""),
    make("td.number", null, count(points.length)),
  );
  row.addEventListener("pointerenter", () => pointed(points));
  row.addEventListener("pointerleave", () => pointed([]));
  row.addEventListener("focusin", () => pointed(points));
  row.addEventListener("focusout", () => pointed([]));
  return row;
}

export const titleOf = (data, at) => nameOf({ title: data.title[at], document: data.document[at] }, data.text?.[at]);

/** The address of the document of a point, at its passage where the map knows it. */
export function addressOfPoint(data, at) {
  const { q, mode, where } = parts();
  return addressOf({ view: "document", id: data.document[at], start: data.start?.[at], end: data.end?.[at], q, mode, where });
}

