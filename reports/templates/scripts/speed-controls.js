// What is across and up, what colours the points, and which mixes are shown.
(() => {
  const { one, make, swatch, plot } = report;
  const { given } = plot;
  if (!given) return;
  const option = (value, words) => Object.assign(make("option", words), { value });

  /** A list of measures and a box for a logarithmic axis; side is x or y. */
  plot.axisControl = (side, state, changed) => {
    const select = one(`#speed-${side}`);
    const log = one(`#speed-${side}log`);
    const counted = given.crowds.length > 0; // grids exist for costs across and accuracies up
    const costs = ["Cost", plot.isCost, !counted || side === "x"];
    const accuracies = ["Accuracy", (measure) => !plot.isCost(measure), !counted || side === "y"];
    (side === "x" ? [costs, accuracies] : [accuracies, costs]).forEach(([words, belongs, offered]) => {
      const members = given.measures.filter(belongs);
      if (!offered || !members.length) return;
      const group = Object.assign(select.appendChild(make("optgroup")), { label: words });
      group.append(...members.map((measure) => option(measure.name, plot.heading(measure))));
    });
    select.value = state[side];
    const sync = () => {
      log.disabled = !plot.canBeLog(plot.measures.get(state[side]));
      log.checked = state[`${side}log`];
    };
    select.addEventListener("change", () => {
      state[side] = select.value;
      [, , state[`${side}log`]] = plot.measures.get(select.value).home;
      if (side === "x") state.budget = null;
      sync();
      changed();
    });
    log.addEventListener("change", () => {
      state[`${side}log`] = log.checked;
      changed();
    });
    sync();
  };

  /** A button that stays pressed while its answer is asked for. */
  const chip = (words, set, value, changed, mark) => {
    const node = make("button", "", "chip");
    node.type = "button";
    node.setAttribute("aria-pressed", String(set.has(value)));
    node.append(...(mark ? [mark] : []), words);
    node.addEventListener("click", () => {
      if (!set.delete(value)) set.add(value);
      node.setAttribute("aria-pressed", String(set.has(value)));
      changed();
    });
    return node;
  };

  /** The legend, of which each family can be asked for, and the choices that can be filtered by. */
  plot.filterControls = (state, changed, recoloured) => {
    const legend = () => {
      const colour = given.colours.find((each) => each.name === state.slot);
      const drawn = new Set(colour.codes.slice(0, given.competing));
      const keys = colour.looks.filter((_, code) => drawn.has(code))
        .map(([slug, words]) => chip(words, state.families, slug, filtered, swatch(slug)));
      one("#speed-legend").replaceChildren(make("span", `Family in ${state.slot}`, "legend-title"), ...keys);
    };
    const facets = () => one("#speed-facets").replaceChildren(...given.facets.map((facet, n) => {
      const set = make("fieldset");
      set.append(make("legend", facet.name), ...facet.options.map((words, code) => chip(words, state.filters[n], code, filtered)));
      return set;
    }));
    const filtered = () => {
      const active = [...state.filters, state.families].some((set) => set.size);
      const kept = changed();
      one("#speed-filter summary").textContent = active ? `Filter: ${kept} of ${plot.plural(given.competing, "mix")}` : "Filter";
      one("[data-act=no-filter]").hidden = !active;
    };
    one("[data-act=no-filter]").addEventListener("click", () => {
      [...state.filters, state.families].forEach((set) => set.clear());
      legend();
      facets();
      filtered();
      one("#speed-filter summary").focus();
    });
    const slot = one("#speed-slot");
    slot.append(...given.colours.map((colour) => option(colour.name, colour.name)));
    slot.value = state.slot;
    slot.addEventListener("change", () => {
      state.slot = slot.value;
      state.families.clear();
      legend();
      filtered();
      recoloured();
    });
    one("#speed-filter").hidden = !given.facets.length;
    one("#speed-colour").hidden = given.colours.length < 2;
    legend();
    facets();
  };
})();
