// Addresses of the page: what is shown stands in the part behind the question mark.

let shown = () => {};

/** Say what shows the view that the address names. */
export function onAddress(show) {
  shown = show;
  addEventListener("popstate", (event) => show({ isBack: true, top: event.state?.top ?? 0 }));
}

/** Write an address from its parts; empty ones are left out. */
export function addressOf(parts) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parts)) {
    if (value !== "" && value !== null && value !== undefined) query.set(name, value);
  }
  return `?${query}`;
}

export const parts = () => Object.fromEntries(new URLSearchParams(location.search));

/** Go to an address; the place on the page that is left is kept for the way back. */
export function go(address) {
  history.replaceState({ ...history.state, top: scrollY }, "");
  history.pushState({ top: 0, isInside: true }, "", address);
  shown({ isBack: false, top: 0 });
}

/** Write another address without going there, as a query grows. */
export function rewrite(address) {
  history.replaceState(history.state, "", address);
}

/** Listen to a link: follow it within the page, unless it is to open elsewhere. */
export function follow(event) {
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(event.currentTarget.getAttribute("href"));
}

/** Go back to where the reader came from, or to an address where the page was opened here. */
export function goBack(address) {
  if (history.state?.isInside) history.back();
  else go(address);
}
