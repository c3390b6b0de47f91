// The plot: what is chosen and pinned, and what is under the pointer or the keyboard.
(() => {
  const { all, one, make, pick, onPick, near, plot } = report;
  const { given } = plot;
  const figure = one("#speed .plot");
  if (!given || !figure) return;
  const MOST = 4; // pinned mixes
  const field = one(".field", figure);
  const height = Number(field.firstElementChild.getAttribute("height"));
  const tip = one("#tip");
  const state = {
    x: given.x, y: given.y, xlog: plot.measures.get(given.x).home[2], ylog: plot.measures.get(given.y).home[2],
    slot: given.slot, filters: given.facets.map(() => new Set()), families: new Set(),
    stretch: { x: plot.WHOLE, y: plot.WHOLE }, budget: null, pinned: [...given.pinned],
  };
  let scene = null;
  let current = state.pinned[0] ?? 0; // the mix that the keyboard is at
  let hot = null; // the mix whose numbers are shown

  // Drawing anew, with the keyboard where it was.
  const draw = () => {
    const held = field.contains(document.activeElement);
    show(null);
    scene = plot.scene(state);
    plot.draw(field, scene, state, height);
    figure.classList.toggle("many", scene.points.length > plot.SPARSE);
    if (!scene.points.some((point) => point.mix === current)) current = scene.points.length ? scene.points[0].mix : -1;
    plot.marksOf(field, current).forEach((node) => {
      node.tabIndex = 0;
      if (held) node.focus({ preventScroll: true });
    });
    const turned = scene.flip ? ", lower is up" : "";
    one("#speed-up").textContent = `↑ ${plot.heading(scene.y)}${scene.upward.log ? ", log scale" : ""}${turned}`;
    one("#speed-shown").textContent = caption();
    one("#speed-corner").textContent = scene.x.better === "higher" ? "right" : "left";
    all("[data-zoom=out], [data-zoom=reset]").forEach((node) => { node.disabled = scene.whole; });
    budget();
    return true;
  };
  const caption = () => {
    const { plural } = plot;
    const parts = [];
    if (scene.filtered) parts.push(`The filter keeps ${scene.kept.length} of ${plural(given.competing, "mix")}; the others are grey, the dashed staircase is that of all.`);
    if (scene.filtered && scene.crowd) parts.push("Squares count all mixes, whatever the filter.");
    if (!scene.whole) parts.push(`${plural(scene.points.length, "mix")} in view.`);
    if (scene.whole && scene.beyond) parts.push(`${plural(scene.beyond, "mix")} beyond the plotted range, drawn at the edge (↓).`);
    if (scene.missing > 0) parts.push(`${plural(scene.missing, "mix")} not shown (stopped, diverged, failed, waiting or not measured).`);
    return parts.join(" ");
  };

  // The mix under the pointer or the keyboard.
  const show = (point) => {
    if (hot !== null && (!point || point.mix !== hot)) near(given.mixes[hot], false);
    hot = point ? point.mix : null;
    tip.hidden = !point;
    if (!point) return true;
    near(given.mixes[point.mix], true);
    plot.marksOf(field, point.mix).forEach((node) => { if (!one(".bar", node)) node.prepend(...plot.bars(point)); });
    const { label, letter } = plot.card(point.mix);
    const amounts = [scene.y, scene.x].map((measure) => `${plot.text(measure, measure.values[point.mix])} ${plot.spread(measure, point.mix)}`.trim());
    tip.replaceChildren(make("b", letter ? `${letter}: ${label}` : label), make("span", amounts.join(" · ")));
    const [frame, place] = [tip.parentNode.getBoundingClientRect(), field.getBoundingClientRect()];
    const [x, y] = [place.left - frame.left + point.x * place.width, place.top - frame.top + point.y * height];
    tip.style.left = `${Math.min(Math.max(x + 14, 0), Math.max(frame.width - tip.offsetWidth, 0))}px`;
    tip.style.top = `${y - tip.offsetHeight - 14 < 0 ? y + 16 : y - tip.offsetHeight - 14}px`;
    return true;
  };
  const enter = (mix) => {
    plot.marksOf(field, current).forEach((node) => { node.tabIndex = -1; });
    current = mix;
    plot.marksOf(field, current).forEach((node) => { node.tabIndex = 0; });
    show(scene.points.find((point) => point.mix === mix));
  };

  // Pinned mixes, side by side.
  const name = (mix) => plot.card(mix).letter || plot.card(mix).label;
  const pinned = (words) => {
    one("#speed-status").textContent = words;
    draw();
    compare();
  };
  const toggle = (mix) => {
    if (state.pinned.includes(mix)) {
      state.pinned = state.pinned.filter((each) => each !== mix);
      pinned(`${name(mix)} removed, ${plot.plural(state.pinned.length, "mix")} compared.`);
      return;
    }
    const gone = state.pinned.length === MOST ? state.pinned.splice(1, 1)[0] : null;
    state.pinned.push(mix);
    pinned(`${name(mix)} pinned, ${plot.plural(state.pinned.length, "mix")} compared.${gone === null ? "" : ` ${name(gone)} made room.`}`);
  };
  const first = (mix) => {
    state.pinned = [mix, ...state.pinned.filter((each) => each !== mix)];
    pinned(`Differences are to ${name(mix)}.`);
  };
  const compare = () => plot.compare(one("#compare"), state, { toggle, first });
  onPick((key, from) => {
    const mix = plot.keys.get(key);
    if (mix !== undefined && (from === "point" || !state.pinned.includes(mix))) toggle(mix);
  });

  // Controls.
  const budget = plot.budgets(field, state, () => scene);
  const whole = () => {
    state.stretch = { x: plot.WHOLE, y: plot.WHOLE };
    return draw();
  };
  plot.axisControl("x", state, whole);
  plot.axisControl("y", state, whole);
  plot.filterControls(state, () => {
    draw();
    return scene.kept.length;
  }, compare);
  const acts = {
    scene: () => scene,
    current: () => current,
    near: show,
    enter,
    focus: (mix) => plot.marksOf(field, mix).forEach((node) => node.focus({ preventScroll: true })),
    pick: (mix) => {
      if (mix >= 0) pick(given.mixes[mix], "point");
      return true;
    },
    zoom: (factor, x, y) => draw(plot.zoom(state, factor, x, y)),
    pan: (x, y) => draw(plot.pan(state, x, y)),
    into: (x, y) => draw(plot.stretchInto(state, x, y)),
    reset: whole,
  };
  plot.moves(field, height, acts);
  all("[data-zoom]").forEach((node) => node.addEventListener("click", () => {
    if (node.dataset.zoom === "reset") whole();
    else acts.zoom(node.dataset.zoom === "in" ? plot.FACTOR : 1 / plot.FACTOR);
  }));

  // What is seen, as a file.
  const filterWords = () => given.facets.flatMap((facet, n) => {
    const asked = [...state.filters[n]].map((code) => facet.options[code]);
    return asked.length ? [`${facet.name}: ${asked.join(" or ")}`] : [];
  }).join("; ");
  all("[data-save]").forEach((node) => node.addEventListener("click", () => {
    const mixes = scene.points.map((point) => point.mix).filter(plot.affordable(state, scene.x));
    plot.save(node.dataset.save, field, scene, state, mixes, filterWords());
  }));
  addEventListener("resize", () => plot.thin(field));
  pinned("");
})();
