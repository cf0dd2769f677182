"use strict";
// The map of a report: what a point says, a legend that filters, a search box, zoom. All text goes in as textContent.
(() => {
  const find = (id) => document.getElementById(id);
  const map = find("map");
  document.documentElement.classList.add("with-script");
  if (!map) return;

  const texts = JSON.parse(find("map-data").textContent);
  const svg = map.querySelector("svg"), ring = find("ring"), tip = find("tip");
  const whole = { x: 0, y: 0, width: svg.viewBox.baseVal.width, height: svg.viewBox.baseVal.height };
  const buttons = [...document.querySelectorAll(".legend button")];
  const names = new Map(buttons.map((button) => [button.dataset.g, button.querySelector("bdi").textContent]));
  const folded = (text) => text.normalize("NFKC").toLowerCase();
  const points = [...find("points").children].map((circle, number) => ({
    circle, x: circle.cx.baseVal.value, y: circle.cy.baseVal.value, group: circle.dataset.g,
    words: folded(texts[number].join(" ")), text: texts[number], shown: true,
  }));
  let view = { ...whole }, selected = null;

  // --- zoom: sizes stay the same on the screen, so they are given in units of the picture for one pixel ---
  const draw = () => {
    svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
    map.style.setProperty("--unit", view.width / (svg.clientWidth || whole.width));
    map.style.setProperty("--zoom", Math.min(2, whole.width / view.width));
    map.classList.toggle("zoomed", view.width < whole.width);
    if (selected) showTip();
  };
  const look = (x, y, width) => {
    const height = (width * whole.height) / whole.width;
    const within = (low, size, full) => Math.max(0, Math.min(full - size, low));
    view = { width, height, x: within(x - width / 2, width, whole.width), y: within(y - height / 2, height, whole.height) };
    draw();
  };
  const zoom = (factor) => {
    const at = selected || { x: view.x + view.width / 2, y: view.y + view.height / 2 };
    look(at.x, at.y, Math.max(whole.width / 16, Math.min(whole.width, view.width * factor)));
  };
  find("closer").onclick = () => zoom(0.5);
  find("wider").onclick = () => zoom(2);
  find("whole").onclick = () => look(0, 0, whole.width);

  // --- one point ---
  const line = (kind, text) => {
    const element = document.createElement(kind);
    element.dir = "auto";
    element.textContent = text;
    return element;
  };
  const showTip = () => {
    const [title, name, text] = selected.text, group = names.get(selected.group);
    tip.replaceChildren(
      ...(title ? [line("b", title)] : []), ...(name && name !== title ? [line("small", name)] : []), line("p", text),
      ...(group ? [line("em", `${Number(selected.group) + 1} · ${group}`)] : []),
    );
    tip.hidden = false;
    const scale = svg.clientWidth / view.width;
    const x = (selected.x - view.x) * scale, y = (selected.y - view.y) * scale;
    const below = y < svg.clientHeight / 2;
    tip.style.left = `${Math.max(4, Math.min(svg.clientWidth - tip.offsetWidth - 4, x - tip.offsetWidth / 2))}px`;
    tip.style.top = `${below ? y + 14 : y - tip.offsetHeight - 14}px`;
  };
  const select = (point) => {
    if (point === selected) return;
    selected = point;
    ring.setAttribute("visibility", point ? "visible" : "hidden");
    if (!point) { tip.hidden = true; return; }
    ring.setAttribute("cx", point.x);
    ring.setAttribute("cy", point.y);
    const outside = point.x < view.x || point.y < view.y || point.x > view.x + view.width || point.y > view.y + view.height;
    if (outside) look(point.x, point.y, view.width); else showTip();
  };
  const nearest = (cost) => {
    let best = null, least = Infinity;
    for (const point of points) {
      const costs = point.shown ? cost(point) : Infinity;
      if (costs < least) { best = point; least = costs; }
    }
    return best;
  };

  // --- pointer: the nearest point; with the map zoomed in, pulling moves it ---
  const place = (event) => {
    const box = svg.getBoundingClientRect(), scale = view.width / box.width;
    return { x: view.x + (event.clientX - box.left) * scale, y: view.y + (event.clientY - box.top) * scale, scale };
  };
  let pulled = null;
  const point = (event) => {
    const at = place(event), reach = (event.pointerType === "touch" ? 28 : 18) * at.scale;
    select(nearest(({ x, y }) => { const far = Math.hypot(x - at.x, y - at.y); return far < reach ? far : Infinity; }));
  };
  svg.addEventListener("pointerdown", (event) => {
    pulled = { x: event.clientX, y: event.clientY, view: { ...view } };
    if (event.pointerType !== "mouse") point(event);
  });
  svg.addEventListener("pointermove", (event) => {
    if (pulled && event.buttons && view.width < whole.width) {
      const scale = view.width / svg.clientWidth, { x, y, width, height } = pulled.view;
      look(x + width / 2 - (event.clientX - pulled.x) * scale, y + height / 2 - (event.clientY - pulled.y) * scale, width);
    } else if (event.pointerType === "mouse") point(event);
  });
  addEventListener("pointerup", () => { pulled = null; });
  map.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") select(null); });

  // --- keyboard: the nearest point in the direction of the arrow ---
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  map.addEventListener("keydown", (event) => {
    if (event.key === "Escape") select(null);
    else if (event.key === "+" || event.key === "=") zoom(0.5);
    else if (event.key === "-") zoom(2);
    else if (event.key in arrows) {
      event.preventDefault();
      const [dx, dy] = arrows[event.key];
      const from = selected || { x: view.x + view.width / 2, y: view.y + view.height / 2 };
      const next = nearest((other) => {
        const along = (other.x - from.x) * dx + (other.y - from.y) * dy;
        const across = Math.abs((other.x - from.x) * dy + (other.y - from.y) * dx);
        if (selected && (other === selected || along <= 0 || across > 2 * along)) return Infinity;
        return selected ? along + 2 * across : Math.hypot(along, across);
      });
      if (next) select(next);
    }
  });
  map.addEventListener("focus", () => { if (!selected && map.matches(":focus-visible")) {
    select(nearest(({ x, y }) => Math.hypot(x - view.x - view.width / 2, y - view.y - view.height / 2)));
  } });

  // --- what is shown: the pressed groups (all where none is), and of them what holds the words ---
  const isPressed = (button) => button.getAttribute("aria-pressed") === "true";
  const filter = () => {
    const pressed = new Set(buttons.filter((one) => isPressed(one)).map((one) => one.dataset.g));
    const words = folded(find("find").value).split(/\s+/).filter(Boolean);
    let hits = 0;
    for (const one of points) {
      const inGroup = !pressed.size || pressed.has(one.group);
      const holds = words.every((word) => one.words.includes(word));
      one.shown = inGroup && holds;
      hits += one.shown;
      one.circle.classList.toggle("off", !one.shown);
      one.circle.classList.toggle("hit", one.shown && words.length > 0);
    }
    for (const badge of find("badges").children) {
      badge.classList.toggle("off", pressed.size > 0 && !pressed.has(badge.dataset.g));
    }
    find("found").textContent = words.length ? `${hits.toLocaleString("en")} found, in the title or the words shown` : "";
    if (selected && !selected.shown) select(null);
  };
  for (const button of buttons) {
    button.onclick = () => { button.setAttribute("aria-pressed", !isPressed(button)); filter(); };
  }
  find("find").oninput = filter;
  find("find").onkeydown = (event) => { // Enter goes from one hit to the next
    if (event.key !== "Enter") return;
    const hits = points.filter((one) => one.shown);
    if (hits.length) select(hits[(hits.indexOf(selected) + 1) % hits.length]);
  };

  addEventListener("resize", draw);
  draw();
})();
