// What is said to the reader outside the views: a status for screen readers, and an error on one line.

import { find } from "./elements.js";

/** Let a screen reader say a sentence. */
export function say(sentence) {
  find("status").textContent = sentence;
}

/**
 * Show what went wrong on one line.
 * @param {Error} error The failure; a request that was stopped on purpose is none.
 * @param {Function} [again] What the button "Try again" does; there is none where the request itself was wrong.
 */
export function complain(error, again) {
  if (error.name === "AbortError") return;
  const place = find("complaint"), button = place.querySelector("button");
  place.querySelector("span").textContent = error.message;
  // What the service refused for what it says would be refused again.
  const isRefused = error.status >= 400 && error.status < 500 && ![401, 408, 429].includes(error.status);
  button.hidden = !again || isRefused;
  button.onclick = () => {
    calm();
    again();
  };
  place.hidden = false;
}

/** Take the error away. */
export function calm() {
  find("complaint").hidden = true;
}

addEventListener("online", () => {
  const button = find("complaint").querySelector("button");
  if (!find("complaint").hidden && !button.hidden) button.click();
});
