// Round numbers along an axis, and where a value lies on it: the rules of reports/graphics/axes.py.
report.plot = (() => {
  const linearTicks = (low, high, wanted) => {
    const raw = (high - low) / wanted;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((each) => each >= raw * 0.999);
    const first = Math.ceil(low / step - 1e-9);
    const last = Math.floor(high / step + 1e-9);
    return Array.from({ length: Math.max(last - first + 1, 0) }, (_, n) => (first + n) * step);
  };
  const logTicks = (low, high, wanted) => {
    const least = Math.floor(Math.log10(low));
    const exponents = Array.from({ length: Math.ceil(Math.log10(high)) + 1 - least }, (_, n) => least + n);
    let ticks = [];
    for (const steps of [[1], [1, 3], [1, 2, 5], [1, 1.5, 2, 3, 5, 7]]) {
      ticks = exponents.flatMap((e) => steps.map((m) => m * 10 ** e)).filter((tick) => low <= tick && tick <= high);
      if (ticks.length >= Math.min(wanted, 4)) return ticks;
    }
    return ticks.length < 3 ? linearTicks(low, high, wanted) : ticks;
  };

  /** An axis from one value to another. */
  const between = (low, high, log, wanted) => (
    { low, high, log, ticks: log ? logTicks(low, high, wanted) : linearTicks(low, high, wanted) }
  );
  /** An axis that holds all values with a little room at both ends. */
  const around = (values, log, wanted, pad) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    if (log) {
      const room = high > low ? (high / low) ** pad : 1.25;
      return between(low / room, high * room, true, wanted);
    }
    const room = (high - low) * pad || Math.abs(high) * 0.05 || 0.5;
    return between(low - room, high + room, false, wanted);
  };
  /** Position of a value: 0 at the start, 1 at the end. */
  const at = (axis, value) => (axis.log
    ? Math.log(value / axis.low) / Math.log(axis.high / axis.low)
    : (value - axis.low) / (axis.high - axis.low));
  /** The value at a position. */
  const valueAt = (axis, share) => (axis.log
    ? axis.low * (axis.high / axis.low) ** share
    : axis.low + share * (axis.high - axis.low));
  /** A tick as text, with as many decimals as the ticks need. */
  const tickText = (axis, tick) => {
    if (tick === 0) return "0";
    if (axis.log) return String(Number(tick.toPrecision(6)));
    const step = axis.ticks.length > 1 ? axis.ticks[1] - axis.ticks[0] : Math.abs(tick);
    let decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    if (Number(step.toFixed(decimals)) !== Number(step.toFixed(decimals + 2))) decimals += 1;
    return tick.toFixed(decimals).replace("-", "−");
  };
  const held = (share) => Math.min(Math.max(share, 0), 1);
  return { given: report.data.speed, between, around, at, valueAt, tickText, held };
})();
