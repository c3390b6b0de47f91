"use strict";
const report = (() => {
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const one = (query, root = document) => root.querySelector(query);
  const data = JSON.parse(one("#data").textContent);
  // What is given in few letters (reports/page/packing.py): labels of mixes, their keys, whole numbers.
  const keys = Object.keys(data.mixes);
  const unpacked = ({ by, least, wide, each, of }) => {
    const numbers = Array.from({ length: of.length / wide }, (_, at) => {
      const text = of.slice(at * wide, (at + 1) * wide);
      return text.startsWith("-") ? null : (parseInt(text, 36) + least) / by;
    });
    return each ? Array.from({ length: numbers.length / each }, (_, at) => numbers.slice(at * each, (at + 1) * each)) : numbers;
  };
  if (data.speed) {
    const { measures, facets } = data.speed;
    data.speed.mixes ??= keys;
    [facets, data.speed.slots, data.speed.colours].flat().forEach((group) => {
      if (typeof group.codes === "string") group.codes = [...group.codes].map((code) => parseInt(code, 36));
    });
    const label = (at) => facets.map(({ name, options, codes }) => `${name} ${options[codes[at]]}`).join(" | ");
    keys.forEach((key, at) => { data.mixes[key].label ??= label(at); });
    measures.forEach((measure) => ["values", "low", "high", "seeds"].forEach((name) => {
      if (measure[name]?.by) measure[name] = unpacked(measure[name]);
    }));
  }
  if (Array.isArray(data.drawings?.mixes)) {
    data.drawings.mixes = Object.fromEntries(data.drawings.mixes.map((network, at) => [keys[at], network]));
  }

  const make = (tag, text, name) => {
    const node = document.createElement(tag);
    if (text) node.textContent = text;
    if (name) node.className = name;
    return node;
  };
  const swatch = (slug) => {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    const use = document.createElementNS(space, "use");
    svg.setAttribute("class", `swatch ${slug}`);
    svg.setAttribute("viewBox", "-8 -8 16 16");
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", `#shape-${slug}`);
    svg.append(use);
    return svg;
  };

  // What only works with a script is shown by it.
  all("[data-scripted]").forEach((node) => { node.hidden = false; });

  // Light and dark: the reader's choice before the system's.
  const theme = one("#theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  system.addEventListener("change", nameTheme);
  nameTheme();

  // The table of contents says which section is read.
  const links = new Map(all("nav.contents a").map((link) => [link.hash.slice(1), []]));
  all("nav.contents a").forEach((link) => links.get(link.hash.slice(1)).push(link));
  const reading = new IntersectionObserver((seen) => seen.filter((each) => each.isIntersecting).forEach((each) => {
    links.forEach((own, name) => own.forEach((link) => {
      if (name === each.target.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }));
  }), { rootMargin: "-15% 0px -80% 0px" });
  links.forEach((_, name) => { if (document.getElementById(name)) reading.observe(document.getElementById(name)); });

  // On paper everything is open.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = all("main details:not([open])");
    opened.forEach((details) => { details.open = true; });
  });
  addEventListener("afterprint", () => opened.forEach((details) => { details.open = false; }));

  // A mix is picked anywhere that names it, and marked in all of them.
  const of = (key) => all(`[data-mix="${CSS.escape(key)}"]`);
  const listeners = [];
  const onPick = (listener) => listeners.push(listener);
  const pick = (key, from) => {
    if (!data.mixes[key]) return;
    all(".picked").forEach((node) => node.classList.remove("picked"));
    of(key).forEach((node) => node.classList.add("picked"));
    listeners.forEach((listener) => listener(key, from));
  };
  const near = (key, on) => of(key).forEach((node) => node.classList.toggle("near", on));
  return { all, one, data, make, swatch, of, pick, onPick, near };
})();
