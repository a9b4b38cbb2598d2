// Clicking a column title sorts the table: ascending, descending, original order. Rows stay in their section.
for (const table of document.querySelectorAll("table")) {
  const titles = [...table.tHead.rows[0].cells];
  const bodies = [...table.tBodies].map((body) => ({
    body,
    rows: [...body.rows].filter((row) => !row.classList.contains("source")),
  }));
  // Names sort as text; a column without sort keys does not sort.
  const key = (row, column) => {
    const cell = row.cells[column];
    if (column === 0) return cell.textContent;
    return "key" in cell.dataset ? Number(cell.dataset.key) : null;
  };
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
  const sort = (column, direction) => {
    for (const { body, rows } of bodies) {
      const order = direction === "none" ? rows : [...rows].sort((one, other) => {
        const [a, b] = [key(one, column), key(other, column)];
        // Rows without a value come last in both directions.
        if (a === null || b === null) return (a === null) - (b === null);
        return direction === "ascending" ? compare(a, b) : compare(b, a);
      });
      body.append(...order);
    }
    titles.forEach((title, i) => {
      if (title.firstElementChild) title.setAttribute("aria-sort", i === column ? direction : "none");
    });
  };
  const next = { none: "ascending", ascending: "descending", descending: "none" };
  titles.forEach((title, column) => {
    if (!bodies.some(({ rows }) => rows.some((row) => key(row, column) !== null))) return;
    const button = document.createElement("button");
    button.textContent = title.textContent;
    button.title = "Sort by this column";
    button.addEventListener("click", () => sort(column, next[title.getAttribute("aria-sort")]));
    title.replaceChildren(button);
    title.setAttribute("aria-sort", "none");
  });
}
