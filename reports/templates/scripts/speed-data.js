// Mixes as numbers: how they are written, which beat which, and when two of them differ.
(() => {
  const { plot } = report;
  const { given } = plot;
  if (!given) return;
  const TIE = "\u00a0";
  const measures = new Map(given.measures.map((each) => [each.name, each]));
  const keys = new Map(given.mixes.map((key, mix) => [key, mix]));
  const card = (mix) => report.data.mixes[given.mixes[mix]];
  const isCost = (measure) => !measure.seeds;
  const value = (measure, mix) => measure.values[mix];
  const ends = (measure, mix) => {
    if (!measure.low || measure.low[mix] === null || measure.high[mix] === null) return null;
    return [measure.low[mix], measure.high[mix]];
  };

  const number = (measure, amount) => (amount === null ? "–" : amount.toFixed(measure.decimals).replace("-", "−"));
  const text = (measure, amount) => (
    measure.unit && amount !== null ? number(measure, amount) + TIE + measure.unit : number(measure, amount)
  );
  const signed = (measure, amount) => {
    const words = text(measure, amount);
    if (/^−?0(\.0+)?$/.test(number(measure, amount))) return words.replace("−", "");
    return amount > 0 ? `+${words}` : words;
  };
  const spread = (measure, mix) => {
    const found = ends(measure, mix);
    if (!found) return "";
    if (!isCost(measure)) return `±${number(measure, (found[1] - found[0]) / 2)}`;
    return `${number(measure, found[0])}–${number(measure, found[1])}`;
  };
  const heading = (measure) => (measure.unit ? `${measure.title}, ${measure.unit}` : measure.title);

  /** One mix minus another: the difference, its interval, and whether it can be claimed. */
  const gap = (measure, one, other) => {
    if (measure.seeds) return bySeed(measure, one, other);
    const [a, b] = [value(measure, one), value(measure, other)];
    return { value: a === null || b === null ? null : a - b, ends: null, apart: apart(measure, one, other) };
  };
  /** Seed by seed: the mean difference, and its standard error from the scatter of all mixes or its own, which is larger. */
  const paired = ({ seeds, scatter }, one, other) => {
    const gaps = seeds[one].map((a, seed) => (a === null || seeds[other][seed] === null ? null : a - seeds[other][seed])).filter((each) => each !== null);
    const n = gaps.length;
    const mean = n ? gaps.reduce((sum, each) => sum + each, 0) / n : null;
    if (!n || !scatter) return { mean, error: null };
    const own = gaps.reduce((sum, each) => sum + (each - mean) ** 2, 0) / Math.max(n - 1, 1);
    return { mean, error: Math.sqrt(Math.max(own, 2 * scatter.sd ** 2) / n) };
  };
  const bySeed = (measure, one, other) => {
    const { mean, error } = paired(measure, one, other);
    if (error === null) return { value: mean, ends: null, apart: false };
    const half = measure.scatter.apart * error;
    return { value: mean, ends: [mean - half, mean + half], apart: mean - half > 0 || mean + half < 0 };
  };
  /** Standard errors that the best of so many mixes must be ahead; between those that are given, along their logarithm. */
  const limit = ({ best }, many) => {
    const next = given.left.findIndex((each) => each >= many);
    if (next < 1) return next ? best[best.length - 1] : best[0];
    const [a, b] = [given.left[next - 1], given.left[next]].map(Math.log);
    return best[next - 1] + (best[next] - best[next - 1]) * (Math.log(many) - a) / (b - a);
  };
  /** Which others the best of them can't be told from, by claims that hold together. */
  const alike = (measure, best, others) => {
    if (!measure.seeds) return others.filter((mix) => !gap(measure, mix, best).apart);
    if (!measure.scatter) return others;
    const ahead = others.map((mix) => {
      const { mean, error } = paired(measure, mix, best);
      return [mix, error === null || mean === 0 ? 0 : Math.abs(mean) / error];
    }).sort((a, b) => b[1] - a[1]);
    const first = ahead.findIndex(([, errors], at) => errors < limit(measure.scatter, others.length + 1 - at));
    return first < 0 ? [] : ahead.slice(first).map(([mix]) => mix);
  };
  const ranked = new Map(given.ties.order.map((mix, place) => [mix, place]));
  const tied = (one, other) => given.ties.runs[one].some((first, n, runs) => n % 2 === 0 && first <= other && other <= runs[n + 1]);
  const apart = (measure, one, other) => {
    if (measure.exact) return value(measure, one) !== value(measure, other);
    if (measure.name === "latency" && ranked.has(one) && ranked.has(other)) return !tied(ranked.get(one), ranked.get(other));
    const more = (found) => (measure.wider ?? 0) * (found[1] - found[0]) / 2; // of ranges, which are no intervals
    const [a, b] = [one, other].map((mix) => ends(measure, mix)).map((found) => found && [found[0] - more(found), found[1] + more(found)]);
    return Boolean(a && b && (a[1] < b[0] || a[0] > b[1]));
  };

  /** Which of several mixes no other beats in two measures; equal ones stay both. */
  const front = (mixes, x, y) => {
    const cost = (measure) => (measure.better === "higher" ? (mix) => -value(measure, mix) : (mix) => value(measure, mix));
    const [across, up] = [cost(x), cost(y)];
    const order = [...mixes].sort((a, b) => across(a) - across(b) || up(a) - up(b));
    const best = [];
    order.forEach((mix) => {
      const last = best.length ? best[best.length - 1] : null;
      if (last === null || up(mix) < up(last) || (up(mix) === up(last) && across(mix) === across(last))) best.push(mix);
    });
    return best;
  };
  Object.assign(plot, { measures, keys, card, isCost, value, ends, number, text, signed, spread, heading, gap, alike, front });
})();
