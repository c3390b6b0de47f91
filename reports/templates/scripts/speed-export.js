// What is seen, as a file: a picture that needs no style sheet, or the numbers behind it.
(() => {
  const { all, plot } = report;
  const { given } = plot;
  if (!given) return;
  const KEPT = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-linecap", "opacity", "fill-opacity",
    "font-size", "font-weight", "font-family", "paint-order", "text-anchor", "visibility"];
  const MARGIN = { left: 64, right: 24, top: 76, bottom: 60 };

  /** A node with its look as attributes, and its places in pixels. */
  const inked = (node, width, height) => {
    if (node.nodeType === Node.TEXT_NODE) return node.cloneNode();
    if (node.matches("title, .halo") && !node.closest(".pinned, .winner")) return "";
    const copy = plot.svg(node.localName, {});
    const across = ["x", "x1", "x2", "cx", "width"];
    [...node.attributes].forEach(({ name, value }) => {
      if (/^(class|role|tabindex|data-|aria-)/.test(name)) return;
      const share = value.endsWith("%") ? parseFloat(value) / 100 : null;
      copy.setAttribute(name, share === null ? value : (share * (across.includes(name) ? width : height)).toFixed(2));
    });
    const style = getComputedStyle(node);
    KEPT.forEach((name) => {
      const value = style.getPropertyValue(name);
      if (value && node.localName !== "svg") copy.setAttribute(name, value);
    });
    copy.append(...[...node.childNodes].map((child) => inked(child, width, height)));
    return copy;
  };

  const words = (text, x, y, size, fill, weight = 400) => plot.svg("text", {
    x, y, fill, "font-size": size, "font-weight": weight, "font-family": getComputedStyle(document.body).fontFamily,
  }, text);
  const legend = (state, width, ink) => {
    const group = plot.svg("g", { transform: `translate(${MARGIN.left} 48)` });
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `13px ${getComputedStyle(document.body).fontFamily}`;
    let x = 0;
    const colour = given.colours.find((each) => each.name === state.slot);
    const drawn = new Set(colour.codes.slice(0, given.competing));
    colour.looks.filter((_, code) => drawn.has(code)).forEach(([slug, name]) => {
      const shape = document.getElementById(`shape-${slug}`).getAttribute("d");
      const fill = getComputedStyle(report.one(`.swatch.${slug} use`) || document.body).fill;
      const length = pen.measureText(name).width;
      if (x + 20 + length > width) return;
      group.append(plot.svg("path", { d: shape, fill, transform: `translate(${x + 7} -4)` }), words(name, x + 20, 0, 13, ink));
      x += length + 42;
    });
    return group;
  };

  /** The plot as a picture of its own. */
  plot.picture = (field, scene, state, note) => {
    const inner = field.firstElementChild;
    const width = field.clientWidth || field.getBoundingClientRect().width;
    const height = Number(inner.getAttribute("height"));
    const [ink, page] = [getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor];
    const [fullWidth, fullHeight] = [width + MARGIN.left + MARGIN.right, height + MARGIN.top + MARGIN.bottom];
    const root = plot.svg("svg", { width: fullWidth, height: fullHeight, viewBox: `0 0 ${fullWidth} ${fullHeight}` });
    root.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    const shapes = plot.svg("defs", {});
    all("defs path[id^=shape-]").forEach((shape) => shapes.append(plot.svg("path", { id: shape.id, d: shape.getAttribute("d") })));
    const body = plot.svg("g", { transform: `translate(${MARGIN.left} ${MARGIN.top})` });
    body.append(...[...inner.childNodes].map((node) => inked(node, width, height)));
    root.append(
      shapes, plot.svg("rect", { width: fullWidth, height: fullHeight, fill: page }),
      words(`${plot.heading(scene.y)}${note ? `  ·  ${note}` : ""}`, 16, 24, 13, ink, 600), legend(state, width, ink), body,
    );
    return root;
  };

  const cell = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const text = /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(value) ? `'${value}` : value;
    return /[",\n\r']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  /** The numbers of the mixes in view, in the units shown. */
  plot.table = (scene, mixes) => {
    const columns = [["mix", (mix) => given.mixes[mix]], ["letter", (mix) => plot.card(mix).letter || ""], ["label", (mix) => plot.card(mix).label],
      ...given.facets.map((facet) => [facet.name, (mix) => facet.options[facet.codes[mix]] ?? ""])];
    given.measures.forEach((measure) => {
      const unit = measure.unit ? `_${measure.unit}` : "";
      columns.push([measure.name + unit, (mix) => measure.values[mix]]);
      if (measure.low) columns.push([`${measure.name}_low${unit}`, (mix) => measure.low[mix]], [`${measure.name}_high${unit}`, (mix) => measure.high[mix]]);
    });
    columns.push(["on_front_shown", (mix) => Number(scene.front.has(mix))]);
    const lines = [columns.map(([name]) => cell(name)), ...mixes.map((mix) => columns.map(([, of]) => cell(of(mix))))];
    return `${lines.map((line) => line.join(",")).join("\r\n")}\r\n`;
  };

  const save = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };
  const drawn = (root) => new XMLSerializer().serializeToString(root);
  const asPng = (root, name) => {
    const image = new Image();
    image.addEventListener("load", () => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [2 * image.width, 2 * image.height];
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save(blob, name), "image/png");
    });
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(drawn(root))}`;
  };
  /** Save what is seen as png, svg or csv. */
  plot.save = (kind, field, scene, state, mixes, note) => {
    const name = `${scene.y.name}-against-${scene.x.name}`.replace(/[^a-z0-9]+/gi, "-").toLowerCase();
    if (kind === "csv") save(new Blob([plot.table(scene, mixes)], { type: "text/csv;charset=utf-8" }), `${name}.csv`);
    else if (kind === "svg") save(new Blob([drawn(plot.picture(field, scene, state, note))], { type: "image/svg+xml" }), `${name}.svg`);
    else asPng(plot.picture(field, scene, state, note), `${name}.png`);
  };
})();
