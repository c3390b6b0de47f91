// Pictures of networks: any mix that is picked is drawn, as the page draws those it compares.
(() => {
  const { all, one, data, make, onPick, pick } = report;
  const known = data.drawings;
  const SPACE = "http://www.w3.org/2000/svg";
  const node = (tag, attributes, text) => {
    const made = document.createElementNS(SPACE, tag);
    Object.entries(attributes).forEach(([name, value]) => made.setAttribute(name, value));
    if (text) made.textContent = text;
    return made;
  };
  const [PAD, SWATCH, CELLS, LINE, ROOM] = [8, 13, 13, 14, 1.5]; // as in networks/picture.py

  const cells = (x, y, width, slugs) => {
    const step = (width - 2 * PAD + ROOM) / slugs.length;
    return slugs.map((slug, at) => node("rect", {
      class: `cell ${slug}`, x: x + PAD + at * step, y: y + 6, width: step - ROOM, height: 4, rx: 1,
    }));
  };
  const kinds = (x, y, slugs) => slugs.map((slug, at) => {
    const svg = node("svg", {
      class: `kind ${slug}`, x: x + PAD + at * SWATCH, y: y + CELLS + 1, width: 10, height: 10, viewBox: "-7 -7 14 14",
    });
    svg.append(node("use", { href: `#shape-${slug}` }));
    return svg;
  });
  const words = (x, y, lines) => lines.map((line, at) => node("text", { x, y: y + CELLS + LINE * (at + 1) - 4 }, line));
  const box = ([x, y, width, height, name], [lines, said, families, blocks], share) => {
    const group = node("g", {});
    if (lines.length && lines[lines.length - 1].endsWith("…")) group.append(node("title", {}, said));
    const foot = y + height - 12;
    group.append(
      node("rect", { class: "box", x, y, width, height, rx: 6 }),
      ...cells(x, y, width, blocks),
      ...kinds(x, y, families),
      ...words(x + PAD + SWATCH * families.length, y, lines),
      node("text", { class: "name", x: x + PAD, y: foot }, name),
    );
    if (share >= 0) {
      const bar = { x: x + PAD, y: foot + 5, height: 2.5, rx: 1.25 };
      group.append(
        node("text", { class: "name", x: x + width - PAD, y: foot, "text-anchor": "end" }, `${share}\u00a0%`),
        node("rect", { ...bar, class: "track", width: width - 2 * PAD }),
        node("rect", { ...bar, class: "share", width: (share / 100) * (width - 2 * PAD) }),
      );
    }
    return group;
  };

  // The network of a mix as an SVG element; null where the page does not know it.
  report.drawing = (key) => {
    if (!known || !known.mixes[key]) return null;
    const [frame, filled, shares] = known.mixes[key];
    const { width, height, lines, notes, boxes } = known.frames[frame];
    const fills = filled.map((at) => known.fills[at]);
    const said = boxes.map((place, at) => `${place[4]}: ${fills[at][1]}`
      + (shares[at] >= 0 ? `, ${shares[at]} % of the ${known.of}` : ""));
    const svg = node("svg", {
      class: "network-picture", viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": `${(data.mixes[key] || { label: key }).label}. ${said.join("; ")}`,
    });
    svg.append(
      ...lines.map(([d, skip]) => node("path", skip ? { class: "skip", d } : { class: "way", d, "marker-end": "url(#way-end)" })),
      ...notes.map(([x, y, text]) => node("text", { class: "note", x, y, "text-anchor": "middle" }, text)),
      ...boxes.map((place, at) => box(place, fills[at], shares[at])),
    );
    return svg;
  };

  const shown = one("#network-picked");
  if (!shown) return;
  all(".network[data-mix]").forEach((figure) => figure.addEventListener("click", () => pick(figure.dataset.mix, "network")));
  onPick((key) => {
    const fixed = all(".network[data-mix]").some((figure) => figure !== shown && figure.dataset.mix === key);
    const svg = fixed ? null : report.drawing(key);
    shown.hidden = !svg;
    if (!svg) return;
    const mix = data.mixes[key];
    const caption = make("figcaption");
    const name = caption.appendChild(make("b"));
    if (mix.letter) name.append(make("span", mix.letter, "letter"), " ");
    name.append(mix.label);
    shown.replaceChildren(caption, svg);
    shown.classList.add("picked");
  });
})();
