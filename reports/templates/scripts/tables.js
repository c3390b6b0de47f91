// Tables: rows pick their mix, headings sort (what has no value stays last), and each can be copied.
(() => {
  const { all, one, make, data, pick, onPick, near } = report;
  const tables = all("main table").filter((table) => table.tHead && table.tBodies.length);
  const clean = (text) => text.replace(/\s+/g, " ").trim();

  // A column's place, as headings may go over several.
  const columns = (table) => {
    const found = [];
    [...table.tHead.rows[table.tHead.rows.length - 1].cells].forEach((head) => {
      for (let k = 0; k < head.colSpan; k += 1) found.push({ head, last: k === head.colSpan - 1 });
    });
    return found;
  };
  const cellAt = (row, column) => {
    let at = 0;
    for (const cell of row.cells) {
      at += cell.colSpan;
      if (column < at) return cell;
    }
    return null;
  };
  const isGroup = (row) => row.cells.length === 1 && row.cells[0].colSpan > 1;
  const numberOf = (text) => {
    const found = /^[^\d\w]*?([+−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)/i.exec(text);
    return found ? Number(found[1].replace("−", "-").replaceAll(",", "")) : null;
  };

  // Sorting: by the raw value where the cell knows it, else by the number or the text it shows.
  const valueOf = (cell, kind) => {
    if (!cell) return null;
    if (cell.dataset.sort !== undefined) return cell.dataset.sort === "" ? null : Number(cell.dataset.sort);
    const text = clean(cell.textContent);
    if (text === "" || text === "–") return null;
    return kind === "number" ? numberOf(text) : text.toLocaleLowerCase();
  };
  const kindOf = (table, head, column) => {
    if (head.dataset.kind) return head.dataset.kind;
    const cells = [...table.tBodies].flatMap((body) => [...body.rows]).filter((row) => !isGroup(row)).map((row) => cellAt(row, column));
    const texts = cells.filter((cell) => cell && valueOf(cell, "text") !== null);
    return texts.length && texts.every((cell) => cell.dataset.sort !== undefined || numberOf(clean(cell.textContent)) !== null) ? "number" : "text";
  };
  const sort = (table, column, kind, down) => {
    [...table.tBodies].forEach((body) => {
      const rows = [...body.rows];
      const groups = rows.filter(isGroup);
      const sign = down ? -1 : 1;
      const order = (first, second) => {
        const [a, b] = [valueOf(cellAt(first, column), kind), valueOf(cellAt(second, column), kind)];
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (typeof a === "string" ? a.localeCompare(b) : a - b);
      };
      body.append(...groups, ...rows.filter((row) => !isGroup(row)).sort(order));
    });
  };
  const sortable = (table) => {
    const found = columns(table);
    found.forEach(({ head, last }, column) => {
      if (!last || !clean(head.textContent)) return;
      const kind = kindOf(table, head, column);
      const button = make("button", "", "sorts");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const now = head.getAttribute("aria-sort");
        const down = now ? now === "ascending" : kind === "number";
        found.forEach((other) => other.head.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(table, column, kind, down);
      });
    });
  };

  // Copying: what is shown, as text; a spread beside a number has a column of its own in CSV.
  const pieces = (cell) => {
    if (!cell) return ["", ""];
    const copy = cell.cloneNode(true);
    all("svg, [data-uncopied]", copy).forEach((node) => node.remove());
    const small = all("small", copy).map((node) => { node.remove(); return clean(node.textContent); });
    return [clean(copy.textContent), small.join(" ")];
  };
  const grid = (table) => {
    const heads = columns(table).map(({ head, last }) => (last ? pieces(head) : ["", ""]));
    const rows = [];
    [...table.tBodies].forEach((body) => {
      let group = "";
      [...body.rows].forEach((row) => {
        if (isGroup(row)) { group = pieces(row.cells[0])[0]; return; }
        const cells = heads.map((_, column) => pieces(cellAt(row, column)));
        rows.push({ group, cells });
      });
    });
    const used = heads.map((_, column) => column).filter((column) => rows.some((row) => row.cells[column].some(Boolean)));
    const grouped = rows.some((row) => row.group);
    return {
      heads: [...(grouped ? [["Group", ""]] : []), ...used.map((column) => heads[column])],
      rows: rows.map((row) => [...(grouped ? [[row.group, ""]] : []), ...used.map((column) => row.cells[column])]),
    };
  };
  const joined = ([text, small]) => (small ? `${text} ${small}` : text);
  const titled = ([text, small]) => (small ? `${text} (${small})` : text);
  const plainNumber = (text) => (/^−?\d[\d.,]*$/.test(text) ? text.replace("−", "-") : text);
  const quoted = (text) => {
    const number = /^[+-]?\d+(\.\d*)?(e[+-]?\d+)?$/i.test(text);
    const safe = !number && /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const asCsv = ({ heads, rows }) => {
    const spread = heads.map((_, column) => rows.some((row) => row[column][1] !== ""));
    const line = (cells, head) => cells.flatMap((cell, column) => {
      const first = head ? titled(cell) : plainNumber(cell[0]);
      if (!spread[column]) return [quoted(first)];
      return [quoted(first), quoted(head ? `${cell[0]}, beside it` : cell[1])];
    }).join(",");
    return [line(heads, true), ...rows.map((row) => line(row, false))].join("\n") + "\n";
  };
  const marked = (text) => text.replace(/[\\\x60*_{}[\]<>|#&~$]/g, "\\$&");
  const asMarkdown = ({ heads, rows }) => {
    const line = (cells) => `| ${cells.join(" | ")} |`;
    return [line(heads.map((cell) => marked(titled(cell)))), `|${heads.map((_, k) => (k ? "---:|" : "---|")).join("")}`,
      ...rows.map((row) => line(row.map((cell) => marked(joined(cell)))))].join("\n") + "\n";
  };
  const latin = /[\u0000-\u00ff]/;
  const tex = (text) => [...text].map((letter) => data.latex[letter] ?? (latin.test(letter) ? letter
    : `{[}U+${letter.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}{]}`)).join("").replace(/-(?=-)|,(?=,)|[?!](?=\\char96)/g, "$&{}");
  const asLatex = ({ heads, rows }) => {
    const line = (cells) => `${cells.join(" & ")} \\\\`;
    return ["% needs \\usepackage{booktabs}", `\\begin{tabular}{l${"r".repeat(heads.length - 1)}}`, "\\toprule",
      line(heads.map((cell) => tex(titled(cell)))), "\\midrule", ...rows.map((row) => line(row.map((cell) => tex(joined(cell))))),
      "\\bottomrule", "\\end{tabular}"].join("\n") + "\n";
  };
  const kinds = { CSV: asCsv, Markdown: asMarkdown, LaTeX: asLatex };

  // Where a page may not write to the clipboard, the text is shown, selected, to be copied by hand.
  const byHand = (text, kind) => {
    const dialog = make("dialog", "", "by-hand");
    const title = make("p", `The table as ${kind}; copy it with the keyboard.`);
    const area = make("textarea");
    const close = make("button", "Close", "quiet");
    title.id = "by-hand-title";
    dialog.setAttribute("aria-labelledby", title.id);
    area.value = text;
    area.readOnly = true;
    area.rows = 12;
    area.setAttribute("aria-label", `The table as ${kind}`);
    close.type = "button";
    close.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    dialog.append(title, area, close);
    document.body.append(dialog);
    dialog.showModal();
    area.select();
  };
  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  };
  const copyable = (table) => {
    const box = table.closest(".scroll, .sideways");
    const bar = make("div", "", "copies");
    const said = make("span", "", "said");
    const name = clean(one("h2, h3", table.closest("section") || document)?.textContent || "table");
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", `Copy the table: ${name}`);
    said.setAttribute("role", "status");
    bar.append(make("span", "Copy as"));
    Object.entries(kinds).forEach(([kind, write]) => {
      const button = make("button", kind, "copy");
      button.type = "button";
      button.addEventListener("click", async () => {
        const text = write(grid(box ? one("table", box) : table)); // a script may have drawn it anew
        if (await copied(text)) said.textContent = `Copied as ${kind}`;
        else byHand(text, kind);
      });
      bar.append(button);
    });
    bar.append(said);
    (box || table).after(bar);
  };

  tables.filter((table) => !table.matches(".heat table, .compare, [data-fixed]")).forEach(sortable); // a grid keeps its order
  tables.forEach(copyable);

  // Rows pick their mix.
  all("tr[data-mix]").forEach((row) => {
    row.tabIndex = 0;
    row.addEventListener("click", (event) => { if (!event.target.closest("a, button")) pick(row.dataset.mix, "row"); });
    row.addEventListener("mouseenter", () => near(row.dataset.mix, true));
    row.addEventListener("mouseleave", () => near(row.dataset.mix, false));
    row.addEventListener("keydown", (event) => { if (event.key === "Enter" && event.target === row) pick(row.dataset.mix, "row"); });
  });
  onPick((key, from) => {
    const row = one(`#mixes tr[data-mix="${CSS.escape(key)}"]`);
    if (from === "row" || !row) return;
    const box = row.closest(".scroll");
    box.scrollTop = row.offsetTop - box.clientHeight / 2;
  });
})();
