// Pictures: a click on a crop picks its mix, and an edge wipes from one of two over the other.
(() => {
  const { all, one, data, make, pick } = report;
  all(".crops [data-mix]").forEach((figure) => figure.addEventListener("click", () => pick(figure.dataset.mix, "picture")));

  const wipe = one("#wipe");
  if (!wipe) return;
  const strips = all(".crops[data-image]");
  const name = (figure) => one("b", figure).textContent;
  const chooser = (text, options, chosen) => {
    const choice = make("span", "", "wipe-choice");
    const label = choice.appendChild(make("label", text));
    const select = choice.appendChild(make("select"));
    label.htmlFor = select.id = `wipe-${text.toLowerCase()}`;
    options.forEach(([value, words]) => {
      const option = select.appendChild(make("option", words));
      option.value = value;
      option.selected = value === chosen;
    });
    return [choice, select];
  };
  const kinds = all("figure", strips[0]).map((figure) => [figure.dataset.kind, name(figure)]);
  const [imageChoice, image] = chooser("Crop", strips.map((strip, at) => [String(at), strip.dataset.image]), "0");
  const [leftChoice, left] = chooser("Left", kinds, data.pictures.left);
  const [rightChoice, right] = chooser("Right", kinds, data.pictures.right);
  imageChoice.hidden = strips.length < 2;

  const controls = make("div", "", "wipe-controls");
  controls.append(imageChoice, leftChoice, rightChoice);
  const pair = make("div", "", "wipe-pair");
  const [under, over] = ["under", "over"].map((role) => make("img", "", role));
  const edge = make("span", "", "wipe-edge");
  pair.append(under, over, edge);
  const range = make("input");
  Object.assign(range, { type: "range", min: 0, max: 100, value: 50 });
  const sides = make("div", "", "wipe-sides");
  const errors = make("div", "", "wipe-errors");
  const field = make("div");
  field.append(pair, range, sides);

  const figure = (select) => all("figure", strips[Number(image.value)]).find((each) => each.dataset.kind === select.value);
  const caption = (shown) => {
    const text = make("span", name(shown));
    const score = one("figcaption span", shown);
    if (score) text.append(make("small", score.textContent));
    return text;
  };
  const place = () => {
    pair.style.setProperty("--at", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} % from the left picture`);
  };
  const copy = (from, to) => {
    to.src = from.src;
    to.alt = from.alt;
  };
  const show = () => {
    const [one_, two] = [figure(left), figure(right)];
    if (!one_ || !two) return;
    copy(one(".crop", one_), over);
    copy(one(".crop", two), under);
    range.setAttribute("aria-label", `Edge between ${name(one_)} on the left and ${name(two)} on the right`);
    sides.replaceChildren(caption(one_), caption(two));
    errors.replaceChildren(...[one_, two].filter((shown) => one(".error", shown)).map((shown) => {
      const map = make("figure");
      const picture = map.appendChild(make("img"));
      copy(one(".error", shown), picture);
      map.append(make("figcaption", `Error of ${name(shown)}`));
      return map;
    }));
    place();
  };
  wipe.className = "wipe";
  const beside = make("div", "", "wipe-beside");
  beside.append(errors, ...all("#pictures > .error-scale").map((scale) => scale.cloneNode(true)));
  wipe.append(controls, field, beside);
  [image, left, right].forEach((select) => select.addEventListener("change", show));
  range.addEventListener("input", place);

  // The edge follows the pointer; keys move it by the range below.
  const follow = (event) => {
    const box = pair.getBoundingClientRect();
    range.value = String(Math.round((100 * (event.clientX - box.left)) / box.width));
    place();
  };
  pair.addEventListener("pointerdown", (event) => {
    pair.setPointerCapture(event.pointerId);
    follow(event);
  });
  pair.addEventListener("pointermove", (event) => { if (event.buttons || event.pointerType === "mouse") follow(event); });
  show();
})();
