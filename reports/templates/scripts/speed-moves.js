// Moving in the plot: nearest mix under the pointer, a box drawn to zoom, wheel and keys.
(() => {
  const { all, plot } = report;
  const { given } = plot;
  if (!given) return;
  const REACH = 24; // pixels within which the pointer means a mix
  const LEAST = 0.02; // of the whole axis: as far as one can zoom in
  const FACTOR = 1.6;

  const limited = ([from, to]) => {
    const size = Math.min(Math.max(to - from, LEAST), 1);
    if (size >= 1) return plot.WHOLE;
    const start = Math.min(Math.max((from + to - size) / 2, 0), 1 - size);
    return [start, start + size];
  };
  /** Part of a stretch: both given as shares. */
  const part = ([from, to], [a, b]) => limited([from + a * (to - from), from + b * (to - from)]);
  const around = (stretch, centre, factor) => part(stretch, [centre - centre / factor, centre + (1 - centre) / factor]);

  /** Zoom by a factor about a place, given as shares from bottom left. */
  plot.zoom = (state, factor, x = 0.5, y = 0.5) => {
    state.stretch = { x: around(state.stretch.x, x, factor), y: around(state.stretch.y, y, factor) };
  };
  plot.stretchInto = (state, x, y) => {
    state.stretch = { x: part(state.stretch.x, x), y: part(state.stretch.y, y) };
  };
  plot.pan = (state, x, y) => {
    state.stretch = { x: part(state.stretch.x, [x, 1 + x]), y: part(state.stretch.y, [y, 1 + y]) };
  };

  const nearest = (scene, spot, box, reach) => {
    let [found, least] = [null, reach];
    scene.points.forEach((point) => {
      const distance = Math.hypot((point.x - spot.x) * box.width, (point.y - spot.y) * box.height);
      if (distance < least) [found, least] = [point, distance];
    });
    return found;
  };

  /** Let pointer and keys act on the field. */
  plot.moves = (field, height, acts) => {
    const box = () => {
      const frame = field.getBoundingClientRect();
      return { left: frame.left, top: frame.top, width: frame.width, height };
    };
    const spotOf = (event) => {
      const frame = box();
      return { x: (event.clientX - frame.left) / frame.width, y: (event.clientY - frame.top) / frame.height };
    };
    const under = (event) => {
      const node = event.target.closest && event.target.closest(".point");
      const scene = acts.scene();
      if (node && !event.clientX) return scene.points.find((point) => point.mix === Number(node.dataset.at));
      return nearest(scene, spotOf(event), box(), REACH);
    };
    let drag = null;
    let dragged = false;
    const stop = () => {
      if (drag && drag.mark) drag.mark.remove();
      drag = null;
    };
    field.addEventListener("pointerdown", (event) => {
      dragged = false;
      if (event.button === 0 && event.pointerType !== "touch") drag = { from: spotOf(event), mark: null };
    });
    field.addEventListener("pointermove", (event) => {
      if (!drag) {
        const point = under(event);
        field.classList.toggle("aimed", Boolean(point));
        acts.near(point);
        return;
      }
      const to = spotOf(event);
      const frame = box();
      if (!drag.mark && Math.hypot((to.x - drag.from.x) * frame.width, (to.y - drag.from.y) * frame.height) < 6) return;
      if (!drag.mark) {
        drag.mark = plot.svg("rect", { class: "box" });
        field.firstElementChild.append(drag.mark);
        field.setPointerCapture(event.pointerId);
        acts.near(null);
      }
      const sides = { x: [drag.from.x, plot.held(to.x)], y: [drag.from.y, plot.held(to.y)] };
      Object.values(sides).forEach((side) => side.sort((a, b) => a - b));
      drag.sides = sides;
      const share = (each) => `${(100 * each).toFixed(2)}%`;
      Object.entries({ x: sides.x[0], y: sides.y[0], width: sides.x[1] - sides.x[0], height: sides.y[1] - sides.y[0] })
        .forEach(([name, each]) => drag.mark.setAttribute(name, share(each)));
    });
    field.addEventListener("pointerup", () => {
      const sides = drag && drag.mark && drag.sides;
      dragged = Boolean(drag && drag.mark);
      stop();
      if (sides && (sides.x[1] - sides.x[0]) > 0.01 && (sides.y[1] - sides.y[0]) > 0.01) {
        acts.into(sides.x, acts.scene().flip ? sides.y : [1 - sides.y[1], 1 - sides.y[0]]);
      }
    });
    field.addEventListener("pointercancel", stop);
    field.addEventListener("pointerleave", () => { if (!drag) acts.near(null); });
    field.addEventListener("click", (event) => {
      const point = !dragged && under(event);
      dragged = false;
      if (point) acts.pick(point.mix);
    });
    field.addEventListener("dblclick", (event) => { if (!under(event)) acts.reset(); });
    field.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // the page scrolls as it should
      event.preventDefault();
      const spot = spotOf(event);
      acts.zoom(event.deltaY < 0 ? 1.25 : 0.8, plot.held(spot.x), plot.held(acts.scene().flip ? spot.y : 1 - spot.y));
    }, { passive: false });
    field.addEventListener("keydown", (event) => { if (key(event)) event.preventDefault(); });
    field.addEventListener("focusin", (event) => {
      const node = event.target.closest(".point");
      if (node) acts.enter(Number(node.dataset.at));
    });
    field.addEventListener("focusout", () => acts.near(null));

    const walk = (order, step) => {
      const place = order.findIndex((point) => point.mix === acts.current());
      const next = step === "first" ? 0 : step === "last" ? order.length - 1 : (Math.max(place, 0) + step + order.length) % order.length;
      if (order[next]) acts.focus(order[next].mix);
      return true;
    };
    const key = (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) return false;
      const points = acts.scene().points;
      const side = { ArrowRight: [0.2, 0], ArrowLeft: [-0.2, 0], ArrowUp: [0, 0.2], ArrowDown: [0, -0.2] }[event.key];
      if (side && event.shiftKey) return acts.pan(side[0], acts.scene().flip ? -side[1] : side[1]);
      switch (event.key) {
        case "ArrowRight": return walk(points, 1);
        case "ArrowLeft": return walk(points, -1);
        case "ArrowUp": return onFront(points, 1);
        case "ArrowDown": return onFront(points, -1);
        case "Home": return walk(points, "first");
        case "End": return walk(points, "last");
        case "Enter": case " ": return acts.pick(acts.current());
        case "+": case "=": return acts.zoom(FACTOR);
        case "-": return acts.zoom(1 / FACTOR);
        case "0": return acts.reset();
        case "Escape": stop(); return acts.near(null);
        default: return false;
      }
    };
    /** The next mix on the front, from wherever one is. */
    const onFront = (points, step) => {
      const here = points.findIndex((point) => point.mix === acts.current());
      const order = step > 0 ? points.slice(here + 1) : points.slice(0, Math.max(here, 0)).reverse();
      const next = order.find((point) => point.on);
      if (next) acts.focus(next.mix);
      return true;
    };
  };
  plot.FACTOR = FACTOR;
  plot.marksOf = (field, mix) => all(`.point[data-at="${mix}"]`, field);
})();
