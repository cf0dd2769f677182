// Make elements. Every text becomes a text node, so that no text of a document can become part of the page.

/**
 * Make an element.
 * @param {string} kind Tag, with classes behind dots: "p.soft".
 * @param {Object} [attributes] Attributes; a function is a listener, true an empty attribute, false or null none.
 * @param {...(Node|string|number|null|undefined)} children Nodes, or texts.
 */
export function make(kind, attributes, ...children) {
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag);
  return filled(element, classes, attributes, children);
}

/** Make an SVG element; as `make`. */
export function draw(kind, attributes, ...children) {
  const [tag, ...classes] = kind.split(".");
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), classes, attributes, children);
}

function filled(element, classes, attributes, children) {
  if (classes.length) element.classList.add(...classes);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return element;
}

export const find = (id) => document.getElementById(id);

/** Write a number with the separators of the reader's language. */
export const count = (number) => Number(number).toLocaleString();

/** Write "1 passage", "2 passages". */
export const counted = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** Cut a text to a length, with dots where something is left out. */
export const shortened = (text, length) => (text.length > length ? `${text.slice(0, length - 1).trimEnd()}…` : text);

/**
 * Name a document: by its title, or its id. The id of a text that is a row of its own is 32 digits that say nothing, so
 * such a text is named by its beginning.
 */
export function nameOf({ title, document }, text = "") {
  if (title || !isNameless({ title, document })) return title || document;
  return shortened(text.trim().replace(/\s+/g, " "), 80) || `text ${document.slice(0, 8)}`;
}

export const isNameless = ({ title, document }) => !title && /^[0-9a-f]{32}$/.test(document);

/** Call a function once nothing has asked for it for some milliseconds; `cancel` forgets a call that waits. */
export function settled(call, milliseconds) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => call(...values), milliseconds);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

export const prefersStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
