"use strict";
const report = (() => {
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const one = (query, root = document) => root.querySelector(query);
  const data = JSON.parse(one("#data").textContent);
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
