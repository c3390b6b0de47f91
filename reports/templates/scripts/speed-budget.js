// The budget: what costs more is veiled, and the mix that is best within it is named.
(() => {
  const { all, one, plot } = report;
  if (!plot.given) return;
  const STOPS = 1000; // of the slider, which is as long as the axis

  plot.plural = (number, thing) => `${number} ${thing}${number === 1 ? "" : thing.endsWith("x") ? "es" : "s"}`;
  /** Whether more of a measure is better, so that a budget is a least amount. */
  const atLeast = (measure) => measure.better === "higher";
  plot.affordable = (state, measure) => (mix) => state.budget === null
    || (atLeast(measure) ? measure.values[mix] >= state.budget : measure.values[mix] <= state.budget);

  const winner = (field, state, { x, y, kept }) => {
    const within = kept.filter(plot.affordable(state, x));
    if (!within.length) return "no mix stays within it.";
    const sign = y.better === "higher" ? 1 : -1;
    const best = within.reduce((a, b) => (sign * y.values[b] > sign * y.values[a] ? b : a));
    plot.marksOf(field, best).forEach((node) => node.classList.add("winner"));
    const alike = plot.alike(y, best, within.filter((mix) => mix !== best)).length;
    const { label, letter } = plot.card(best);
    const name = letter ? `${letter} (${label})` : label;
    const words = `${name} is best with ${plot.text(y, y.values[best])} at ${plot.text(x, x.values[best])}`;
    if (within.length === 1) return `${words}, the only one within it.`;
    if (!alike) return `${words}, told apart from the other ${plot.plural(within.length - 1, "mix")} within it.`;
    return `${words}; ${alike} of the other ${plot.plural(within.length - 1, "mix")} within it can't be told from it.`;
  };

  const spoken = (words) => (/^.[A-Z]/.test(words) ? words : words[0].toLowerCase() + words.slice(1));

  /** The slider under the plot; returns what shows a budget anew. */
  plot.budgets = (field, state, sceneOf) => {
    const slider = one("#speed-budget");
    const none = one("[data-act=no-budget]");
    const show = () => {
      const scene = sceneOf();
      const bound = `${scene.x.title} at ${atLeast(scene.x) ? "least" : "most"}`;
      const open = atLeast(scene.x) ? 0 : STOPS;
      slider.value = String(state.budget === null ? open : Math.round(STOPS * plot.held(plot.at(scene.along, state.budget))));
      slider.setAttribute("aria-label", `Budget: ${bound}`);
      const words = state.budget === null ? "no limit" : plot.text(scene.x, state.budget);
      slider.setAttribute("aria-valuetext", words);
      one("#speed-budget-name").textContent = state.budget === null ? "Budget" : `${bound} ${words}:`;
      one(".veils", field).replaceChildren(...plot.veil(scene, state));
      all(".winner", field).forEach((node) => node.classList.remove("winner"));
      one("#speed-winner").textContent = state.budget === null
        ? `Move the dot on the axis to ask what is best with ${spoken(bound)} so much.` : winner(field, state, scene);
      none.hidden = state.budget === null;
    };
    slider.addEventListener("input", () => {
      const { x, along } = sceneOf();
      const share = Number(slider.value) / STOPS;
      const open = atLeast(x) ? share <= 0 : share >= 1;
      state.budget = open ? null : plot.valueAt(along, share);
      show();
    });
    none.addEventListener("click", () => {
      state.budget = null;
      show();
      slider.focus();
    });
    return show;
  };
})();
