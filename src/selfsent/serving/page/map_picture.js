// The points of a map on a canvas: drawing, zoom, and which point is where.
//
// Points are written into the picture's bytes by this file: 50,000 of them take a few milliseconds, which the canvas's
// own circles do not reach.

import { shortened } from "./elements.js";

const MAX_ZOOM = 60;
const EDGE = 0.04;
const MOST_TITLED = 300;
const DIM = 0.13, PLAIN = 0.62, LIT = 1;

export class MapPicture {
  /**
   * @param {HTMLCanvasElement} canvas Where to draw.
   * @param {{x: number[], y: number[], group: number[]}} points Places, and numbers of groups.
   */
  constructor(canvas, points) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.x = Float64Array.from(points.x);
    this.y = Float64Array.from(points.y);
    this.group = Int32Array.from(points.group);
    this.size = this.x.length;
    this.strength = new Float32Array(this.size).fill(PLAIN);
    this.frame = boundsOf(this.x, this.y);
    this.view = { x: 0, y: 0, zoom: 1 };
    this.colours = { ground: [255, 255, 255], ink: [0, 0, 0], soft: [90, 90, 90], groups: [[0, 0, 0]] };
    this.labels = [];
    this.titleOf = null;
    this.outline = [];
    this.ringed = [];
    this.bright = [];
    this.ratio = 0;
    this.whole();
  }

  /**
   * Take the size of the canvas on the screen.
   * @param {boolean} [isRough] One dot of the picture for one of the style's pixels, also where the screen has more.
   */
  fit(isRough = false) {
    const ratio = isRough ? 1 : Math.min(devicePixelRatio || 1, 2);
    const { clientWidth, clientHeight } = this.canvas;
    const [width, height] = [clientWidth, clientHeight].map((length) => Math.max(1, Math.round(length * ratio)));
    if (this.ratio === ratio && this.canvas.width === width && this.canvas.height === height) return;
    this.ratio = ratio;
    Object.assign(this.canvas, { width, height });
    this.image = this.context.createImageData(this.canvas.width, this.canvas.height);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  /** Show the whole map. */
  whole() {
    this.view = { x: (this.frame.left + this.frame.right) / 2, y: (this.frame.top + this.frame.bottom) / 2, zoom: 1 };
  }

  /** Pixels of the screen for one unit of the map. */
  get scale() {
    const { left, right, top, bottom } = this.frame;
    const room = 1 - 2 * EDGE;
    const across = (this.canvas.clientWidth * room) / (right - left || 1);
    const down = (this.canvas.clientHeight * room) / (bottom - top || 1);
    return Math.min(across, down) * this.view.zoom;
  }

  toScreen(x, y) {
    const scale = this.scale;
    return [(x - this.view.x) * scale + this.canvas.clientWidth / 2, (y - this.view.y) * scale + this.canvas.clientHeight / 2];
  }

  toMap(left, top) {
    const scale = this.scale;
    return [(left - this.canvas.clientWidth / 2) / scale + this.view.x, (top - this.canvas.clientHeight / 2) / scale + this.view.y];
  }

  /** Zoom by a factor; the place at a point of the screen stays there. */
  zoomAt(left, top, factor) {
    const [x, y] = this.toMap(left, top);
    this.view.zoom = Math.max(0.5, Math.min(MAX_ZOOM, this.view.zoom * factor));
    const [newX, newY] = this.toMap(left, top);
    this.pan((x - newX) * this.scale, (y - newY) * this.scale);
  }

  /** Move by pixels of the screen; some of the map stays in sight. */
  pan(across, down) {
    const { left, right, top, bottom } = this.frame;
    this.view.x = Math.max(left, Math.min(right, this.view.x + across / this.scale));
    this.view.y = Math.max(top, Math.min(bottom, this.view.y + down / this.scale));
  }

  /**
   * Say which points are lit.
   * @param {Function} isShown Whether a point, by its number, is shown at full strength.
   * @param {Function|null} brightness Of a point: 0 dim, 1 as ever, 2 standing out; null where none stands out.
   */
  shade(isShown, brightness) {
    const levels = [DIM, PLAIN, LIT];
    this.bright = [];
    for (let at = 0; at < this.size; at += 1) {
      const level = isShown(at) ? (brightness ? brightness(at) : 1) : 0;
      this.strength[at] = levels[level];
      if (level === 2) this.bright.push(at);
    }
  }

  /** The point nearest to a place on the screen, or -1; dim points only where no other is near. */
  nearest(left, top, reach = 14) {
    const [x, y] = this.toMap(left, top);
    const limit = (reach / this.scale) ** 2;
    let found = -1, least = limit;
    for (let at = 0; at < this.size; at += 1) {
      if (this.strength[at] < PLAIN) continue;
      const distance = (this.x[at] - x) ** 2 + (this.y[at] - y) ** 2;
      if (distance < least) [found, least] = [at, distance];
    }
    return found;
  }

  /** Numbers of the points within a line drawn around them, given in places of the map. */
  within(line) {
    const bounds = boundsOf(line.map(([x]) => x), line.map(([, y]) => y));
    const inside = [];
    for (let at = 0; at < this.size; at += 1) {
      const x = this.x[at], y = this.y[at];
      if (x >= bounds.left && x <= bounds.right && y >= bounds.top && y <= bounds.bottom && isInside(line, x, y)) inside.push(at);
    }
    return inside;
  }

  /** Numbers of the points in sight. */
  inSight() {
    const [left, top] = this.toMap(0, 0), [right, bottom] = this.toMap(this.canvas.clientWidth, this.canvas.clientHeight);
    const found = [];
    for (let at = 0; at < this.size; at += 1) {
      if (this.x[at] >= left && this.x[at] <= right && this.y[at] >= top && this.y[at] <= bottom) found.push(at);
    }
    return found;
  }

  draw() {
    if (!this.image) return;
    this.pixels.fill(packed(this.colours.ground));
    // A point grows with the zoom, and is smaller where there are many.
    const radius = Math.max(1.3, 3.1 - Math.log10(Math.max(1, this.size / 300)) * 0.75) * Math.min(2.4, this.view.zoom ** 0.35) * this.ratio;
    this.stampAll(0, PLAIN, stampOf(radius * 0.9));
    this.stampAll(PLAIN, LIT, stampOf(radius));
    this.context.putImageData(this.image, 0, 0);
    this.context.save();
    this.context.scale(this.ratio, this.ratio);
    this.drawLabels();
    this.drawBright(Math.max(4.5, (radius / this.ratio) * 1.5));
    this.drawRings();
    this.drawOutline();
    this.context.restore();
  }

  /** Stamp a dot on every point whose strength is from `low` to below `high`. */
  stampAll(low, high, stamp) {
    const { width, height } = this.canvas, { pixels, ratio } = this, scale = this.scale * ratio;
    const { reach, coverage } = stamp, edge = 2 * reach + 1;
    const originX = width / 2 - this.view.x * scale, originY = height / 2 - this.view.y * scale;
    for (let at = 0; at < this.size; at += 1) {
      const strength = this.strength[at];
      if (strength < low || strength >= high) continue;
      const left = Math.round(this.x[at] * scale + originX) - reach, top = Math.round(this.y[at] * scale + originY) - reach;
      if (left < 0 || top < 0 || left + edge > width || top + edge > height) continue;
      const [red, green, blue] = this.colours.groups[this.group[at] % this.colours.groups.length];
      const part = Math.round(strength * 256);
      for (let row = 0; row < edge; row += 1) {
        let pixel = (top + row) * width + left;
        for (let column = row * edge; column < (row + 1) * edge; column += 1, pixel += 1) {
          const share = (coverage[column] * part) >> 8;
          if (!share) continue;
          const under = pixels[pixel], r = under & 255, g = (under >> 8) & 255, b = (under >> 16) & 255;
          pixels[pixel] =
            0xff000000 | ((b + (((blue - b) * share) >> 8)) << 16) | ((g + (((green - g) * share) >> 8)) << 8) | (r + (((red - r) * share) >> 8));
        }
      }
    }
  }

  /** Draw the points that stand out, the first of them on top. */
  drawBright(radius) {
    const { context } = this;
    context.strokeStyle = css(this.colours.ink);
    context.lineWidth = 1.6;
    for (const at of this.bright.toReversed()) {
      const [left, top] = this.toScreen(this.x[at], this.y[at]);
      context.beginPath();
      context.arc(left, top, radius, 0, 2 * Math.PI);
      context.fillStyle = css(this.colours.groups[this.group[at] % this.colours.groups.length]);
      context.fill();
      context.stroke();
    }
  }

  drawRings() {
    const { context } = this;
    const isOne = this.ringed.length === 1;
    context.strokeStyle = css(this.colours.ink);
    context.lineWidth = isOne ? 1.8 : 1;
    for (const at of this.ringed) {
      const [left, top] = this.toScreen(this.x[at], this.y[at]);
      context.beginPath();
      context.arc(left, top, isOne ? 7 : 4, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  drawOutline() {
    if (this.outline.length < 2) return;
    const { context } = this;
    context.beginPath();
    for (const [x, y] of this.outline) context.lineTo(...this.toScreen(x, y));
    context.closePath();
    context.globalAlpha = 0.1;
    context.fillStyle = css(this.colours.ink);
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = css(this.colours.ink);
    context.setLineDash([5, 4]);
    context.lineWidth = 1.5;
    context.stroke();
    context.setLineDash([]);
  }

  /** Write the names of groups, the larger first, and titles where few points are in sight; none across another. */
  drawLabels() {
    const { context } = this, taken = [], font = getComputedStyle(this.canvas).fontFamily;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.font = `600 13px ${font}`;
    for (const { x, y, text, isDim } of this.labels) {
      this.write(text, ...this.toScreen(x, y), isDim ? this.colours.soft : this.colours.ink, taken);
    }
    const points = this.titleOf ? this.inSight().filter((at) => this.strength[at] >= PLAIN) : [];
    if (points.length > MOST_TITLED) return;
    context.font = `12px ${font}`;
    const written = new Set();
    for (const at of points) {
      const title = shortened(this.titleOf(at), 32), [left, top] = this.toScreen(this.x[at], this.y[at]);
      if (!written.has(title) && this.write(title, left, top + 14, this.colours.ink, taken)) written.add(title);
    }
  }

  /** Write a text where it stands in no other's way; tells whether it could. */
  write(text, left, top, colour, taken) {
    const { context } = this, { clientWidth, clientHeight } = this.canvas, half = context.measureText(text).width / 2 + 4;
    if (left < 0 || left > clientWidth || top < 10 || top > clientHeight - 10) return false;
    const middle = Math.min(Math.max(left, half), clientWidth - half);
    if (taken.some((one) => Math.abs(one.middle - middle) < half + one.half && Math.abs(one.top - top) < 18)) return false;
    taken.push({ middle, top, half });
    context.lineWidth = 4;
    context.strokeStyle = css(this.colours.ground);
    context.strokeText(text, middle, top);
    context.fillStyle = css(colour);
    context.fillText(text, middle, top);
    return true;
  }
}

const packed = ([red, green, blue]) => (0xff000000 | (blue << 16) | (green << 8) | red) >>> 0;
const css = ([red, green, blue]) => `rgb(${red} ${green} ${blue})`;

/** A round dot with a soft edge: how much of each pixel it covers, 0 to 256. */
function stampOf(radius) {
  const reach = Math.ceil(radius), edge = 2 * reach + 1, coverage = new Uint16Array(edge * edge);
  for (let row = -reach; row <= reach; row += 1) {
    for (let column = -reach; column <= reach; column += 1) {
      const share = Math.max(0, Math.min(1, radius + 0.5 - Math.hypot(row, column)));
      coverage[(row + reach) * edge + column + reach] = Math.round(256 * share);
    }
  }
  return { reach, coverage };
}

function boundsOf(xs, ys) {
  const bounds = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
  for (let at = 0; at < xs.length; at += 1) {
    bounds.left = Math.min(bounds.left, xs[at]);
    bounds.right = Math.max(bounds.right, xs[at]);
    bounds.top = Math.min(bounds.top, ys[at]);
    bounds.bottom = Math.max(bounds.bottom, ys[at]);
  }
  return xs.length ? bounds : { left: 0, right: 1, top: 0, bottom: 1 };
}

/** Whether a place lies within a closed line: a ray from it crosses the line an odd number of times. */
function isInside(line, x, y) {
  let inside = false;
  for (let at = 0, before = line.length - 1; at < line.length; before = at, at += 1) {
    const [x1, y1] = line[at], [x2, y2] = line[before];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) inside = !inside;
  }
  return inside;
}
