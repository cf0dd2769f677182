// What a pointer and the keys do on a map: move, zoom, point, choose, and draw a line around points.

const CLICK_PX = 5;
const MIN_LASSO = 3;

/**
 * Listen to a canvas.
 * @param {MapPicture} picture What is drawn there.
 * @param {Object} told `moved()`: the view has changed; `pointed(point, left, top)`: -1 for none; `chosen(point)`;
 *   `drawn(line)`: a lasso was closed; `isLasso()`: whether a drag draws.
 */
export function listenTo(picture, told) {
  const { canvas } = picture, down = new Map();
  let start = null, line = null, spread = 0;

  const place = (event) => {
    const frame = canvas.getBoundingClientRect();
    return [event.clientX - frame.left, event.clientY - frame.top];
  };
  const distance = () => {
    const [one, other] = [...down.values()];
    return Math.hypot(one[0] - other[0], one[1] - other[1]);
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
    if (down.size === 1) {
      start = place(event);
      line = told.isLasso() || event.shiftKey ? [picture.toMap(...start)] : null;
    } else if (down.size === 2) {
      [start, line] = [null, null];
      picture.outline = [];
      spread = distance();
    }
  });

  canvas.addEventListener("pointermove", (event) => {
    const at = place(event), before = down.get(event.pointerId);
    if (!before) {
      told.pointed(picture.nearest(...at), ...at);
      return;
    }
    down.set(event.pointerId, at);
    if (down.size === 2) {
      const [one, other] = [...down.values()], now = distance();
      picture.zoomAt((one[0] + other[0]) / 2, (one[1] + other[1]) / 2, now / (spread || now));
      picture.pan((before[0] - at[0]) / 2, (before[1] - at[1]) / 2);
      spread = now;
    } else if (line) {
      line.push(picture.toMap(...at));
      picture.outline = line;
    } else if (start && Math.hypot(at[0] - start[0], at[1] - start[1]) < CLICK_PX) return;
    else {
      start = null;
      picture.pan(before[0] - at[0], before[1] - at[1]);
    }
    told.pointed(-1);
    told.moved();
  });

  canvas.addEventListener("pointerup", (event) => {
    if (!down.delete(event.pointerId)) return;
    const at = place(event);
    if (line) {
      picture.outline = [];
      if (line.length > MIN_LASSO) told.drawn(line);
      else told.moved();
    } else if (start) {
      const point = picture.nearest(...at, event.pointerType === "mouse" ? 14 : 24);
      if (event.pointerType === "mouse") {
        if (point >= 0) told.chosen(point);
      } else told.pointed(point, ...at); // a finger cannot hover: the first tap tells the title, with a link
    }
    [start, line] = [null, null];
  });

  canvas.addEventListener("pointercancel", (event) => {
    down.delete(event.pointerId);
    [start, line] = [null, null];
    picture.outline = [];
    told.moved();
  });
  canvas.addEventListener("pointerleave", (event) => {
    if (!down.size && event.pointerType === "mouse") told.pointed(-1);
  });

  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    picture.zoomAt(...place(event), Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0018)));
    told.pointed(-1);
    told.moved();
  }, { passive: false });

  canvas.addEventListener("dblclick", (event) => {
    picture.zoomAt(...place(event), 2);
    told.moved();
  });

  canvas.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const middle = [canvas.clientWidth / 2, canvas.clientHeight / 2], step = 60;
    const does = {
      ArrowLeft: () => picture.pan(-step, 0), ArrowRight: () => picture.pan(step, 0),
      ArrowUp: () => picture.pan(0, -step), ArrowDown: () => picture.pan(0, step),
      "+": () => picture.zoomAt(...middle, 1.5), "=": () => picture.zoomAt(...middle, 1.5),
      "-": () => picture.zoomAt(...middle, 1 / 1.5), 0: () => picture.whole(),
    }[event.key];
    if (!does) return;
    does();
    event.preventDefault();
    told.moved();
  });
}
