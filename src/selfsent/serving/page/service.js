// What the page asks of the service: one function a question, one kind of error, and the key.

import { find } from "./elements.js";
import { say } from "./notices.js";

const KEY = "selfsent-key";
const MAX_WAIT_S = 8;
const MAX_TRIES = 3;

/** An answer that did not come, told in one line. */
class Failure extends Error {
  constructor(line, status) {
    super(line);
    this.status = status;
  }
}

export const forgetKey = () => sessionStorage.removeItem(KEY);
export const hasKey = () => Boolean(sessionStorage.getItem(KEY));

/** Search; `query`, and of `k`, `mode`, `where`, `offset` and `all` what differs from the default. */
export const search = (body, signal) => ask("search", { body, signal });
export const similarities = async (pairs, signal) =>
  (await ask("similarity", { body: { pairs }, signal })).similarities;
export const tree = (text, signal) => ask(`tree?format=json&text=${encodeURIComponent(text)}`, { signal });
export const documentOf = (id, signal) => ask(`documents/${encodeURIComponent(id)}`, { signal });
export const report = () => ask("report", { isPage: true });

let known = null;

/** What model and store are; asked once, unless it is to be fresh. */
export function facts({ isFresh = false } = {}) {
  if (isFresh || !known) {
    known = ask("facts", {});
    known.catch(() => {
      known = null;
    });
  }
  return known;
}

/** Fetch the map; `waiting` is called each time the service says that it is still being laid out. */
export async function mapOfCorpus(waiting, signal) {
  for (;;) {
    const found = await ask("map", { signal });
    if (found) return found;
    waiting();
    await pause(2, signal);
  }
}

async function ask(path, { body, signal, isPage }, tries = 1) {
  const key = sessionStorage.getItem(KEY);
  let response;
  try {
    response = await fetch(path, {
      method: body ? "POST" : "GET",
      headers: { Accept: isPage ? "text/html" : "application/json", ...(body && { "Content-Type": "application/json" }), ...authorization(key) },
      body: body && JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const line = navigator.onLine
      ? "No answer from the server; is `selfsent serve` still running?"
      : "You are offline; the page goes on when the connection is back.";
    throw new Failure(line, 0);
  }
  if (response.status === 401) {
    // Another request may have asked for the key, and got it, while this one was on its way.
    if (sessionStorage.getItem(KEY) === key) await enterKey(key !== null);
    return ask(path, { body, signal, isPage });
  }
  const isBusy = response.status === 429 || (response.status === 503 && response.headers.has("Retry-After"));
  if (isBusy && tries < MAX_TRIES) {
    const seconds = Math.min(MAX_WAIT_S, Number(response.headers.get("Retry-After")) || 1);
    say(`The server is busy; asking again in ${seconds} s.`);
    await pause(seconds, signal);
    return ask(path, { body, signal, isPage }, tries + 1);
  }
  if (response.status === 202) return null;
  if (!response.ok) throw new Failure(await complaintOf(response), response.status);
  return isPage ? response.blob() : response.json();
}

function authorization(key) {
  return key ? { Authorization: `Bearer ${key}` } : {};
}

async function complaintOf(response) {
  const said = await response.json().then(lineOf, () => "");
  if (response.status === 429) return "The server is busy; try again in a moment.";
  if (response.status >= 500) return `The server could not answer (${response.status}${said ? `: ${said}` : ""}).`;
  return said || `The server refused the request (${response.status}).`;
}

/** Find the sentence in the body of an error: FastAPI's `detail`, or `error.message` as OpenAI writes it. */
function lineOf(body) {
  const said = body?.error?.message ?? body?.error ?? body?.detail ?? body?.message;
  if (Array.isArray(said)) return said.map((one) => one?.msg ?? String(one)).join("; ");
  return typeof said === "string" ? said : "";
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("no longer wanted", "AbortError"));
    });
  });
}

let entering = null;

/** Ask for the key once, however many requests were refused at the same time. */
function enterKey(wasRefused) {
  entering ??= new Promise((resolve, reject) => {
    const dialog = find("key-dialog"), field = find("key"), heading = find("key-heading");
    heading.textContent = wasRefused ? "The server does not know this key" : "This server asks for a key";
    sessionStorage.removeItem(KEY);
    field.value = "";
    dialog.returnValue = "";
    dialog.addEventListener(
      "close",
      () => {
        entering = null;
        const key = field.value.trim();
        field.value = "";
        if (dialog.returnValue !== "enter" || !key) {
          reject(new Failure("The server answers only with its key.", 401));
          return;
        }
        sessionStorage.setItem(KEY, key);
        resolve();
      },
      { once: true },
    );
    dialog.showModal();
  });
  return entering;
}
