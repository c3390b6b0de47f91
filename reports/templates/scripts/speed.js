// The plot: which cost is across, which stage colours the points, and the mix that is picked.
(() => {
  const { all, one, data, make, swatch, pick, onPick, near } = report;
  const press = (button, kind) => all(`button[data-${kind}]`).forEach((other) => {
    other.setAttribute("aria-pressed", String(other === button));
  });
  all("button[data-panel]").forEach((button) => button.addEventListener("click", () => {
    press(button, "panel");
    all("figure[data-panel]").forEach((figure) => { figure.hidden = figure.dataset.panel !== button.dataset.panel; });
  }));
  const families = data.speed ? data.speed.families : {};
  const slugs = new Set(Object.values(families).flatMap((of) => Object.values(of)));
  all("button[data-slot]").forEach((button) => button.addEventListener("click", () => {
    const slot = button.dataset.slot;
    press(button, "slot");
    all("[data-legend]").forEach((legend) => { legend.hidden = legend.dataset.legend !== slot; });
    all(".point").forEach((point) => {
      const slug = families[slot][point.dataset.mix];
      point.classList.remove(...slugs);
      point.classList.add(slug);
      point.querySelector("use").setAttribute("href", `#shape-${slug}`);
    });
  }));

  const card = one("#card");
  const describe = (mix) => {
    const label = make("p", "", "card-label");
    if (mix.letter) label.append(make("span", mix.letter, "letter"), " ");
    label.append(mix.label);
    const stages = make("table", "", "stages");
    const body = stages.appendChild(make("tbody"));
    mix.stages.forEach(([slot, blocks, slug]) => {
      const row = body.insertRow();
      const head = row.appendChild(make("th", slot));
      head.scope = "row";
      row.insertCell().appendChild(make("span")).append(swatch(slug), blocks);
    });
    const numbers = make("dl");
    mix.numbers.forEach(([name, text]) => {
      const pair = numbers.appendChild(make("div"));
      pair.append(make("dt", name), make("dd", text));
    });
    card.replaceChildren(label, stages, numbers);
  };
  onPick((key) => {
    const held = document.activeElement;
    all(".point.picked").forEach((node) => node.parentNode.append(node));
    if (held !== document.activeElement) held.focus();
    if (card) describe(data.mixes[key]);
  });

  const tip = one("#tip");
  const showTip = (point) => {
    const mix = data.mixes[point.dataset.mix];
    const line = (mix.letter ? `${mix.letter}: ` : "") + mix.label;
    tip.replaceChildren(make("b", line), make("span", mix.short));
    tip.hidden = false;
    const frame = tip.parentNode.getBoundingClientRect();
    const dot = point.querySelector(".halo").getBoundingClientRect();
    const left = Math.min(Math.max(dot.left - frame.left + 20, 0), Math.max(frame.width - tip.offsetWidth, 0));
    const above = dot.top - frame.top - tip.offsetHeight - 10;
    tip.style.left = `${left}px`;
    tip.style.top = `${above < 0 ? dot.bottom - frame.top + 10 : above}px`;
  };
  all(".point").forEach((point) => {
    const key = point.dataset.mix;
    const enter = () => { near(key, true); showTip(point); };
    const leave = () => { near(key, false); tip.hidden = true; };
    point.addEventListener("mouseenter", enter);
    point.addEventListener("mouseleave", leave);
    point.addEventListener("focus", enter);
    point.addEventListener("blur", leave);
    point.addEventListener("click", () => pick(key, "point"));
  });

  // One tab stop for each plot; arrow keys walk along the cost, Enter picks.
  all("figure[data-panel]").forEach((figure) => {
    const own = all(".point", figure);
    let at = Math.max(own.findIndex((point) => point.classList.contains("picked")), 0);
    if (own[at]) own[at].tabIndex = 0;
    figure.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (step) {
        own[at].tabIndex = -1;
        at = (at + step + own.length) % own.length;
        own[at].tabIndex = 0;
        own[at].focus();
      } else if (event.key === "Enter" || event.key === " ") {
        pick(own[at].dataset.mix, "point");
      } else {
        return;
      }
      event.preventDefault();
    });
    own.forEach((point, index) => point.addEventListener("focus", () => {
      own[at].tabIndex = -1;
      at = index;
      point.tabIndex = 0;
    }));
  });

  // Letters that would lie on one another: the mix further left keeps its own.
  const thinLetters = () => all("figure[data-panel]:not([hidden])").forEach((figure) => {
    const kept = [];
    all(".letter-mark", figure).forEach((letter) => {
      letter.removeAttribute("visibility");
      const box = letter.getBoundingClientRect();
      const clash = kept.some((other) => box.left < other.right && other.left < box.right
        && box.top + 3 < other.bottom && other.top + 3 < box.bottom);
      if (clash) letter.setAttribute("visibility", "hidden");
      else kept.push(box);
    });
  });
  addEventListener("resize", thinLetters);
  all("button[data-panel]").forEach((button) => button.addEventListener("click", thinLetters));
  thinLetters();
})();
