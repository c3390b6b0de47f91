// The plot in ink: the same marks in the same places as the server draws them.
(() => {
  const { plot } = report;
  const { given } = plot;
  if (!given) return;
  const SPACE = "http://www.w3.org/2000/svg";
  const SPARSE = 60; // mixes up to which every point has its bars

  const svg = (tag, attributes, ...children) => {
    const node = document.createElementNS(SPACE, tag);
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    node.append(...children);
    return node;
  };
  const percent = (share) => `${(100 * share).toFixed(2)}%`;

  const ticks = (scene, height) => {
    const { along, upward, flip } = scene;
    const nodes = upward.ticks.flatMap((tick) => {
      const y = percent(flip ? plot.at(upward, tick) : 1 - plot.at(upward, tick));
      return [
        svg("line", { class: "grid", x1: 0, x2: "100%", y1: y, y2: y }),
        svg("text", { class: "tick", x: -8, y, dy: 4, "text-anchor": "end" }, plot.tickText(upward, tick)),
      ];
    });
    nodes.push(svg("line", { class: "base", x1: 0, x2: "100%", y1: "100%", y2: "100%" }));
    along.ticks.forEach((tick) => {
      const x = percent(plot.at(along, tick));
      nodes.push(
        svg("line", { class: "base", x1: x, x2: x, y1: height, y2: height + 5 }),
        svg("text", { class: "tick", x, y: height + 20, "text-anchor": "middle" }, plot.tickText(along, tick)),
      );
    });
    const title = `${plot.heading(scene.x)}${along.log ? ", log scale" : ""} →`;
    nodes.push(svg("text", { class: "tick xtitle", x: "100%", y: height + 42, "text-anchor": "end" }, title));
    return nodes;
  };

  /** Level and upright lines between corners, as far as they are in view. */
  const steps = (corners, name) => corners.slice(1).flatMap(([x2, y2], before) => {
    const [x1, y1] = corners[before];
    const out = (a, b) => (a < 0 && b < 0) || (a > 1 && b > 1);
    if (out(x1, x2) || out(y1, y2)) return [];
    const [a, b, c, d] = [x1, y1, x2, y2].map(plot.held).map(percent);
    return [svg("line", { class: name, x1: a, y1: b, x2: c, y2: d })];
  });

  const bars = (point) => {
    const [x, y] = [percent(point.x), percent(point.y)];
    const made = [];
    if (point.across) made.push(svg("line", { class: "bar", x1: percent(point.across[0]), x2: percent(point.across[1]), y1: y, y2: y }));
    if (point.down) made.push(svg("line", { class: "bar", y1: percent(point.down[0]), y2: percent(point.down[1]), x1: x, x2: x }));
    return made;
  };

  const mark = (point, scene, state) => {
    const [x, y] = [percent(point.x), percent(point.y)];
    const slug = plot.slug(state.slot, point.mix);
    const pin = state.pinned.indexOf(point.mix);
    const names = ["point", slug, point.on && "front", pin >= 0 && "pinned"].filter(Boolean).join(" ");
    const node = svg("g", {
      class: names, "data-mix": given.mixes[point.mix], "data-at": point.mix, role: "button", tabindex: -1,
      "aria-pressed": String(pin >= 0), "aria-label": says(point, scene),
    });
    if (point.on || pin >= 0 || scene.points.length <= SPARSE) node.append(...bars(point));
    node.append(svg("circle", { class: "halo", cx: x, cy: y, r: 11 }), svg("use", { href: `#shape-${slug}`, x, y }));
    return node;
  };
  /** Letter, number of its pin, and an arrow where it lies outside. */
  const words = (point, state) => {
    const [x, y] = [percent(point.x), percent(point.y)];
    const pin = state.pinned.indexOf(point.mix);
    const { letter } = plot.card(point.mix);
    return [
      letter && svg("text", { class: "letter-mark", x, y, dx: -9, dy: -7, "text-anchor": "end" }, letter),
      pin >= 0 && svg("text", { class: "pin-mark", x, y, dx: 10, dy: 17 }, String(pin + 1)),
      point.edge && svg("text", { class: "tick", x, y, dy: -9, "text-anchor": "middle" }, "↓"),
    ].filter(Boolean);
  };
  const says = (point, { x, y }) => {
    const { label, letter } = plot.card(point.mix);
    const name = letter ? `${letter}: ${label}` : label;
    return `${name}: ${plot.text(y, y.values[point.mix])}, ${plot.text(x, x.values[point.mix])}${point.on ? ", on the front" : ""}`;
  };

  /** What a budget leaves out is veiled. */
  plot.veil = (scene, state) => {
    if (state.budget === null) return [];
    const share = plot.held(plot.at(scene.along, state.budget));
    const least = scene.x.better === "higher";
    const x = percent(share);
    const [from, width] = least ? [0, share] : [share, 1 - share];
    return [
      svg("rect", { class: "veil", x: percent(from), y: 0, width: percent(width), height: "100%" }),
      svg("line", { class: "limit", x1: x, x2: x, y1: 0, y2: "100%" }),
    ];
  };

  /** Draw a scene into its field. */
  plot.draw = (field, scene, state, height) => {
    const inner = svg("svg", { class: "inner", x: 0, y: 0, width: "100%", height, overflow: "visible" });
    const order = (point) => (state.pinned.includes(point.mix) ? 2 : Number(point.on));
    const points = [...scene.points].sort((a, b) => order(a) - order(b));
    inner.append(...ticks(scene, height));
    scene.cells.forEach(({ xs, ys, number, strength }) => inner.append(svg("rect", {
      class: "cell", x: percent(xs[0]), y: percent(ys[0]), width: percent(xs[1] - xs[0]), height: percent(ys[1] - ys[0]),
      "fill-opacity": (0.08 + 0.62 * strength).toFixed(2),
    }, svg("title", {}, `${number.toLocaleString("en")} ${number === 1 ? "mix" : "mixes"}`))));
    scene.ghosts.forEach(([x, y]) => inner.append(svg("circle", { class: "ghost", cx: percent(x), cy: percent(y), r: 2.5 })));
    inner.append(...steps(scene.before, "step before"), ...steps(scene.steps, "step"));
    inner.append(...points.map((point) => mark(point, scene, state)));
    inner.append(svg("g", { class: "words", "aria-hidden": "true" }, ...points.flatMap((point) => words(point, state))));
    inner.append(svg("g", { class: "veils", "aria-hidden": "true" }, ...plot.veil(scene, state)));
    field.replaceChildren(inner);
    field.setAttribute("role", "group");
    field.setAttribute("aria-label", `${plot.heading(scene.y)} against ${plot.heading(scene.x)}, ${plot.plural(scene.points.length, "mix")}`);
    thin(field);
    return inner;
  };

  /** Letters that would lie on one another: the mix further left keeps its own. */
  const thin = (field) => {
    const kept = [];
    const marks = report.all(".letter-mark", field).map((letter) => [letter, letter.getBoundingClientRect()]);
    marks.sort(([, a], [, b]) => a.left - b.left).forEach(([letter, box]) => {
      const clash = kept.some((other) => box.left < other.right && other.left < box.right
        && box.top + 3 < other.bottom && other.top + 3 < box.bottom);
      if (clash) letter.setAttribute("visibility", "hidden");
      else {
        letter.removeAttribute("visibility");
        kept.push(box);
      }
    });
  };
  Object.assign(plot, { svg, bars, thin, SPARSE });
})();
