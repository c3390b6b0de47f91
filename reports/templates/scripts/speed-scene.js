// What there is to draw for the chosen axes, filters and stretch: places as shares, from top left.
(() => {
  const { plot } = report;
  const { given } = plot;
  if (!given) return;
  const { at, held } = plot;
  const WHOLE = [0, 1];

  /** The axis that a measure is drawn along before anybody zooms. */
  plot.home = (measure, log) => {
    const [low, high, usual] = measure.home;
    if (log === usual) return plot.between(low, high, log, given.axis.ticks);
    const known = measure.values.slice(0, given.competing).filter((each) => each !== null && (!log || each > 0));
    return plot.around(known, log, given.axis.ticks, given.axis.pads[plot.isCost(measure) ? 1 : 0]);
  };
  plot.canBeLog = (measure) => plot.isCost(measure)
    && measure.values.slice(0, given.competing).every((each) => each === null || each > 0);

  const visible = (home, stretch) => (stretch === WHOLE ? home
    : plot.between(plot.valueAt(home, stretch[0]), plot.valueAt(home, stretch[1]), home.log, given.axis.ticks));

  /** Corners of the staircase: up at each mix of the front, level until the next. */
  plot.staircase = (corners, rightwards) => {
    if (!rightwards) return plot.staircase(corners.map(([x, y]) => [1 - x, y]), true).map(([x, y]) => [1 - x, y]);
    if (!corners.length) return [];
    const sorted = [...corners].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const steps = [[sorted[0][0], 1], sorted[0]];
    sorted.slice(1).forEach(([x, y], before) => steps.push([x, sorted[before][1]], [x, y]));
    return [...steps, [1, sorted[sorted.length - 1][1]]];
  };

  const passes = (mix, state) => given.facets.every((facet, n) => !state.filters[n].size || state.filters[n].has(facet.codes[mix]))
    && (!state.families.size || state.families.has(plot.slug(state.slot, mix)));
  plot.slug = (slot, mix) => {
    const colour = given.colours.find((each) => each.name === slot);
    return colour.looks[colour.codes[mix]][0];
  };

  /** Everything in view. */
  plot.scene = (state) => {
    const [x, y] = [plot.measures.get(state.x), plot.measures.get(state.y)];
    const flip = y.better === "lower";
    const along = visible(plot.home(x, state.xlog), state.stretch.x);
    const upward = visible(plot.home(y, state.ylog), state.stretch.y);
    const whole = state.stretch.x === WHOLE && state.stretch.y === WHOLE;
    const right = (amount) => at(along, amount);
    const down = (amount) => (flip ? at(upward, amount) : 1 - at(upward, amount));
    const drawable = (measure, log) => (mix) => measure.values[mix] !== null && (!log || measure.values[mix] > 0);
    const all = Array.from({ length: given.competing }, (_, mix) => mix)
      .filter(drawable(x, state.xlog)).filter(drawable(y, state.ylog));
    const kept = all.filter((mix) => passes(mix, state));
    const inside = ([a, b]) => a >= 0 && a <= 1 && b >= 0 && b <= 1;
    const place = (mix) => {
      const spot = [right(x.values[mix]), down(y.values[mix])];
      return whole ? spot.map(held) : spot;
    };
    const best = new Set(plot.front(kept, x, y));
    const bounds = (measure, mix, log, where) => {
      const found = plot.ends(measure, mix);
      return found && (!log || found[0] > 0) ? found.map((end) => held(where(end))) : null;
    };
    const point = (mix) => {
      const [px, py] = place(mix);
      return {
        mix, x: px, y: py, on: best.has(mix),
        edge: !inside([right(x.values[mix]), down(y.values[mix])]),
        across: bounds(x, mix, state.xlog, right),
        down: bounds(y, mix, state.ylog, down),
      };
    };
    const steps = (mixes) => plot.staircase(mixes.map(place), x.better === "lower");
    const points = kept.map(point).filter((each) => whole || inside([each.x, each.y])).sort((a, b) => a.x - b.x);
    const filtered = kept.length < all.length;
    const crowd = given.crowds.find(([a, b]) => a === state.x && b === state.y);
    return {
      x, y, along, upward, flip, whole, points, crowd,
      kept, front: best, filtered,
      ghosts: filtered ? all.filter((mix) => !passes(mix, state)).map(place).filter(inside) : [],
      steps: steps([...best]),
      before: filtered ? steps(plot.front(all, x, y)) : [],
      cells: crowd ? cells(crowd, plot.home(x, x.home[2]), plot.home(y, y.home[2]), right, down) : [],
      beyond: points.filter((each) => each.edge).length + (crowd ? crowd[4] : 0),
      missing: given.total - all.length - (crowd ? crowd[2] + crowd[4] : 0),
    };
  };

  /** Squares of the grid: two corners, how many mixes, and how strongly it is inked. */
  const cells = (crowd, across, up, right, down) => {
    const [columns, rows] = given.grid;
    const [, , , most, , flat] = crowd;
    const found = [];
    for (let n = 0; n < flat.length; n += 3) {
      const [column, row, number] = flat.slice(n, n + 3);
      const xs = [column, column + 1].map((c) => held(right(plot.valueAt(across, c / columns)))).sort((a, b) => a - b);
      const ys = [row, row + 1].map((r) => held(down(plot.valueAt(up, r / rows)))).sort((a, b) => a - b);
      if (xs[1] > xs[0] && ys[1] > ys[0]) found.push({ xs, ys, number, strength: Math.log1p(number) / Math.log1p(most) });
    }
    return found;
  };
  plot.WHOLE = WHOLE;
})();
