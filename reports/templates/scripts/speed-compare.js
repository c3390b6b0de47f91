// Pinned mixes side by side: how each differs from the first, and where that can't be told.
(() => {
  const { make, swatch, plot } = report;
  const { given } = plot;
  if (!given) return;
  const ALIKE = "not distinguishable";

  const best = (measure, mixes) => {
    const known = mixes.filter((mix) => measure.values[mix] !== null);
    if (known.length < 2) return -1;
    const sign = measure.better === "higher" ? 1 : -1;
    const first = known.reduce((a, b) => (sign * measure.values[b] > sign * measure.values[a] ? b : a));
    return known.every((mix) => mix === first || plot.gap(measure, first, mix).apart) ? first : -1;
  };
  /** How a mix differs from the first, in words, and whether that is for the better. */
  const difference = (measure, mix, first) => {
    if (mix === first || measure.values[mix] === null || measure.values[first] === null) return null;
    const gap = plot.gap(measure, mix, first);
    if (measure.exact && !gap.apart) return ["the same", "even"];
    if (gap.value === null || !gap.apart) {
      return [(gap.value === null ? "" : `${plot.signed(measure, gap.value)}, `) + ALIKE, "even"];
    }
    const ends = gap.ends ? ` (${plot.number(measure, gap.ends[0])} to ${plot.number(measure, gap.ends[1])})` : "";
    const better = (gap.value > 0) === (measure.better === "higher");
    return [plot.signed(measure, gap.value) + ends, better ? "better" : "worse"];
  };

  const button = (words, name, mix, act) => {
    const node = make("button", words, "quiet");
    node.type = "button";
    node.dataset.act = name;
    node.setAttribute("aria-label", `${words}: ${plot.card(mix).label}`);
    node.addEventListener("click", act);
    return node;
  };
  const uncopied = (node) => {
    node.dataset.uncopied = ""; // a copy of the table goes without it
    return node;
  };
  const head = (mix, place, state, acts) => {
    const { label, letter, status } = plot.card(mix);
    const cell = make("th");
    cell.scope = "col";
    const top = cell.appendChild(make("span", "", "pin-head"));
    uncopied(top.appendChild(make("span", String(place + 1), "pin-number")));
    if (mix < given.competing) top.append(swatch(plot.slug(state.slot, mix)));
    if (letter) top.append(make("span", letter, "letter"));
    if (status) top.append(make("span", status, "status"));
    const trials = document.getElementById(`trials-${given.mixes[mix]}`);
    if (trials) {
      const link = uncopied(top.appendChild(make("a", "trials")));
      link.href = `#${trials.id}`;
      link.setAttribute("aria-label", `Trials of ${label}`);
    }
    cell.append(make("span", label, "pin-label"));
    const tools = uncopied(cell.appendChild(make("span", "", "pin-tools")));
    if (place) tools.append(button("Compare with this", "first", mix, () => acts.first(mix)));
    tools.append(button("Remove", "remove", mix, () => acts.toggle(mix)));
    return cell;
  };
  const titled = (body, words) => {
    const row = body.insertRow();
    const title = row.appendChild(make("th", words));
    title.scope = "row";
    return row;
  };

  /** The table anew, with a column for each pinned mix. */
  plot.compare = (box, state, acts) => {
    const mixes = state.pinned;
    box.hidden = !mixes.length;
    if (!mixes.length) return;
    const table = make("table", "", "compare");
    const top = table.createTHead().insertRow();
    top.append(make("td"), ...mixes.map((mix, place) => head(mix, place, state, acts)));
    const stages = table.appendChild(make("tbody", "", "fillings"));
    given.slots.filter((slot) => mixes.some((mix) => slot.codes[mix] >= 0)).forEach((slot) => {
      const row = titled(stages, slot.name);
      mixes.forEach((mix) => {
        const code = slot.codes[mix];
        const cell = row.insertCell();
        if (mix !== mixes[0] && code === slot.codes[mixes[0]]) cell.className = "alike";
        if (code < 0) cell.append("–");
        else cell.appendChild(make("span", "", "filling")).append(swatch(slot.options[code][1]), slot.options[code][0]);
      });
    });
    const numbers = table.appendChild(make("tbody", "", "figures"));
    given.measures.filter((measure) => mixes.some((mix) => measure.values[mix] !== null)).forEach((measure) => {
      const row = titled(numbers, measure.title);
      const winner = best(measure, mixes);
      mixes.forEach((mix) => {
        const cell = row.insertCell();
        const value = plot.text(measure, measure.values[mix]);
        cell.append(mix === winner ? make("b", value) : value);
        const spread = plot.spread(measure, mix);
        if (spread) cell.append(" ", make("small", spread));
        const gap = difference(measure, mix, mixes[0]);
        if (gap) cell.append(" ", make("small", gap[0], `gap ${gap[1]}`));
      });
    });
    if (mixes.some((mix) => given.chance[mix] !== null)) {
      const row = titled(numbers, "Front probability");
      mixes.forEach((mix) => row.insertCell().append(given.chance[mix] === null ? "–" : `${given.chance[mix]}\u00a0%`));
    }
    box.replaceChildren(table);
  };
})();
