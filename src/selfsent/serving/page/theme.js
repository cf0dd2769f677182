"use strict";
// Set the chosen theme before the page is painted. This is a plain script, since a module would run too late.
{
  const chosen = localStorage.getItem("selfsent-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
