// A passage with what matched marked: words of the query, and the phrase nearest to it.

import { make } from "./elements.js";

/**
 * Give a function from offsets in characters, as the service counts them, to offsets in UTF-16 units, as strings do.
 * They differ behind every character beyond the basic plane, such as an emoji.
 */
export function unitsOf(text) {
  if (!/[\ud800-\udbff]/.test(text)) return (offset) => Math.max(0, Math.min(offset, text.length));
  const starts = [];
  for (let unit = 0; unit < text.length; unit += text.codePointAt(unit) > 0xffff ? 2 : 1) starts.push(unit);
  return (offset) => (offset < starts.length ? starts[Math.max(0, offset)] : text.length);
}

/** Turn spans of characters into sorted spans of units that do not overlap. */
export function spansIn(text, spans) {
  const units = unitsOf(text);
  const sorted = spans.map(([start, end]) => [units(start), units(end)]).filter(([start, end]) => start < end);
  sorted.sort((one, other) => one[0] - other[0] || one[1] - other[1]);
  const apart = [];
  for (const [start, end] of sorted) {
    const last = apart.at(-1);
    if (last && start < last[1]) last[1] = Math.max(last[1], end);
    else apart.push([start, end]);
  }
  return apart;
}

/**
 * Write a part of a text with its marks.
 * @param {string} text The text.
 * @param {Array} words Spans of the words, in units, sorted and apart.
 * @param {Array|null} phrase Span of the phrase, in units.
 */
export function markedText(text, words, phrase, from = 0, to = text.length) {
  const fragment = document.createDocumentFragment();
  const within = phrase ? [Math.max(from, phrase[0]), Math.min(to, phrase[1])] : [to, to];
  const append = (parent, start, end) => {
    let at = start;
    for (const [first, last] of words) {
      const [low, high] = [Math.max(first, start), Math.min(last, end)];
      if (low >= high) continue;
      parent.append(text.slice(at, low), make("mark", null, text.slice(low, high)));
      at = high;
    }
    if (at < end) parent.append(text.slice(at, end));
  };
  append(fragment, from, Math.min(within[0], to));
  if (within[0] < within[1]) {
    const nearest = make("span.phrase");
    append(nearest, ...within);
    fragment.append(nearest);
    append(fragment, within[1], to);
  } else if (within[0] < to) append(fragment, within[0], to);
  return fragment;
}

/** Light a span of a passage's text where it stands on the page, without changing the page; null lets go. */
export function lightSpan(place, offset, span) {
  if (!globalThis.Highlight) return; // an older browser lights the words in the tree alone
  const range = span && rangeOf(place, span[0] - offset, span[1] - offset);
  if (range) CSS.highlights.set("lit", new Highlight(range));
  else CSS.highlights.delete("lit");
}

function rangeOf(place, start, end) {
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT), range = new Range();
  let at = 0, hasStart = false;
  while (walker.nextNode()) {
    const length = walker.currentNode.length;
    if (!hasStart && start >= 0 && start < at + length) {
      range.setStart(walker.currentNode, start - at);
      hasStart = true;
    }
    if (hasStart && end <= at + length) {
      range.setEnd(walker.currentNode, end - at);
      return range;
    }
    at += length;
  }
  return null;
}

/**
 * Choose the part of a long passage to show: the one with most marks, from one space to another.
 * @returns {[number, number]} Start and end, in units.
 */
export function excerpt(text, words, phrase, length = 420) {
  if (text.length <= length * 1.25) return [0, text.length];
  const marks = [...words.map((span) => [...span, 2]), ...(phrase ? [[...phrase, 5]] : [])];
  const last = text.length - length;
  const starts = [0, ...marks.map(([start]) => Math.max(0, Math.min(last, start - length / 5)))];
  const weight = (from) =>
    marks.reduce((sum, [start, end, value]) => sum + (start >= from && end <= from + length ? value : 0), 0);
  const best = starts.reduce((chosen, start) => (weight(start) > weight(chosen) ? start : chosen));
  const begin = best > 0 ? text.indexOf(" ", best) + 1 || best : 0;
  const cut = text.lastIndexOf(" ", best + length);
  const end = best + length >= text.length ? text.length : cut > begin ? cut : best + length;
  return [Math.floor(begin), Math.floor(end)];
}
