// The page: which view is shown, the keys that work everywhere, the theme.

import { follow, onAddress, parts, go } from "./addresses.js";
import * as about from "./about_view.js";
import * as compare from "./compare_view.js";
import { find } from "./elements.js";
import * as map from "./map_view.js";
import { calm, complain } from "./notices.js";
import * as reader from "./document_view.js";
import * as search from "./search_view.js";
import * as service from "./service.js";

const VIEWS = { search, document: reader, map, compare, about };
const ASKING = new Set(["search", "document", "map"]);
let current = null;

async function show({ isBack = false, top = 0, isFirst = false } = {}) {
  const at = parts();
  const name = at.view in VIEWS ? at.view : "search";
  const isNew = name !== current;
  if (isNew) {
    VIEWS[current]?.leave?.();
    calm();
  }
  for (const other of Object.keys(VIEWS)) find(`view-${other}`).hidden = other !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  find("asking").hidden = !ASKING.has(name);
  document.body.dataset.view = name;
  current = name;
  try {
    await VIEWS[name].enter({ isBack });
  } catch (error) {
    complain(error, () => show());
  }
  if (current !== name) return;
  if (isBack) scrollTo(0, top);
  else if (isNew && !isFirst && name !== "document") scrollTo(0, 0);
  if (isNew && !isFirst && document.activeElement !== find("query")) {
    const opened = isBack && name === "search" ? search.opened() : null;
    (opened ?? find(`${name}-heading`))?.focus({ preventScroll: true });
  }
}

function isTyping(element) {
  return element instanceof HTMLElement && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName));
}

addEventListener("keydown", (event) => {
  if (find("key-dialog").open || event.defaultPrevented || event.isComposing) return;
  const isSlash = event.key === "/" && !event.ctrlKey && !event.metaKey && !isTyping(document.activeElement);
  const isCommand = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey);
  if (isSlash || isCommand) {
    if (document.querySelector("nav [data-view=search]").hidden) return;
    if (find("asking").hidden) go("?");
    find("query").focus();
    find("query").select();
    event.preventDefault();
  } else if (search.onKey(event) || (event.key === "Escape" && VIEWS[current]?.onEscape?.())) event.preventDefault();
});

for (const link of document.querySelectorAll("[data-link]")) link.addEventListener("click", follow);

// --- theme -----------------------------------------------------------------------------------------------------

const THEMES = ["system", "light", "dark"];

function showTheme() {
  const chosen = document.documentElement.dataset.theme ?? "system";
  const name = { system: "As the system", light: "Light", dark: "Dark" }[chosen];
  const button = find("theme");
  button.dataset.shows = chosen;
  button.setAttribute("aria-label", `Theme: ${name}`);
  button.title = `Theme: ${name.toLowerCase()}`;
}

find("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % THEMES.length];
  if (next === "system") {
    delete root.dataset.theme;
    localStorage.removeItem("selfsent-theme");
  } else {
    root.dataset.theme = next;
    localStorage.setItem("selfsent-theme", next);
  }
  showTheme();
  dispatchEvent(new Event("themechange"));
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => dispatchEvent(new Event("themechange")));

history.scrollRestoration = "manual";
showTheme();
onAddress(show);
search.listen(() => VIEWS[current].typed ? VIEWS[current].typed() : VIEWS[current].enter({}));
// Without a store there is nothing to search: the page then compares sentences.
service.facts().then(({ store }) => {
  if (store && Object.keys(store).length) return;
  for (const link of document.querySelectorAll("nav a")) link.hidden = ["search", "map"].includes(link.dataset.view);
  if (current !== "about" && current !== "compare") go("?view=compare");
}, () => {});
await show({ isFirst: true });
if (current === "search" && !parts().q && matchMedia("(hover: hover)").matches) find("query").focus();
