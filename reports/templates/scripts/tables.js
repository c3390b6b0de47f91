// Tables: rows pick their mix, headings sort; what has no value stays last.
(() => {
  const { all, one, make, pick, onPick, near } = report;
  all("tr[data-mix]").forEach((row) => {
    row.tabIndex = 0;
    row.addEventListener("click", () => pick(row.dataset.mix, "row"));
    row.addEventListener("mouseenter", () => near(row.dataset.mix, true));
    row.addEventListener("mouseleave", () => near(row.dataset.mix, false));
    row.addEventListener("keydown", (event) => { if (event.key === "Enter") pick(row.dataset.mix, "row"); });
  });
  onPick((key, from) => {
    const row = one(`#mixes tr[data-mix="${CSS.escape(key)}"]`);
    if (from === "row" || !row) return;
    const box = row.closest(".scroll");
    box.scrollTop = row.offsetTop - box.clientHeight / 2;
  });
  const heads = all(".mixes thead th");
  heads.forEach((head, column) => {
    const button = make("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = one(".mixes tbody");
      const value = (row) => {
        const cell = row.cells[column];
        if (head.dataset.kind === "text") return cell.textContent;
        return cell.dataset.sort === "" ? null : Number(cell.dataset.sort);
      };
      const sign = down ? -1 : 1;
      const order = (first, second) => {
        const [a, b] = [value(first), value(second)];
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (typeof a === "string" ? a.localeCompare(b) : a - b);
      };
      body.append(...all("tr", body).sort(order));
    });
  });
})();
