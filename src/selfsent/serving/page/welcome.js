// What the search view shows before a query: what is in the store, and how to begin.

import { count, counted, make } from "./elements.js";
import * as service from "./service.js";

/** Write the first lines into a place, once the facts are there; unless by then they are no longer wanted. */
export async function welcome(place, isWanted) {
  const lines = sentences(await service.facts().catch(() => null));
  if (!isWanted() || place.childElementCount) return;
  place.append(
    ...lines.map((line) => make("p", null, line)),
    make(
      "p.soft.keys", null,
      make("kbd", null, "/"), " to the field, ", make("kbd", null, "↓"), make("kbd", null, "↑"), " through the answers, ",
      make("kbd", null, "Enter"), " opens, ", make("kbd", null, "Esc"), " goes back",
    ),
  );
}

function sentences(facts) {
  const store = facts?.store ?? {};
  const lines = [];
  if (store.documents && store.passages) {
    lines.push(`${counted(store.documents, "document")} in ${counted(store.passages, "passage")} are ready to be searched.`);
  } else if (store.passages) lines.push(`${count(store.passages)} passages are ready to be searched.`);
  lines.push("Ask in your own words: passages are found by the words they hold and by what they mean.");
  return lines;
}
