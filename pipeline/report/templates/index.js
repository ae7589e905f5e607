"use strict";
/* The table of runs on the index page: sort by a click on a heading, filter by text and by choices. */
(function () {
  const table = document.getElementById("runs-table");
  const form = document.querySelector("form.filters");
  if (!table || !form) return;
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const isNumber = heads.map((head) => head.dataset.sort === "number");
  const rows = [...body.rows].map((row, place) => ({
    row,
    place,
    text: row.textContent.toLowerCase(),
    keys: [...row.cells].map((cell, column) => {
      if (!isNumber[column]) return cell.textContent.trim().toLowerCase();
      return cell.dataset.v === undefined ? null : Number(cell.dataset.v);
    }),
  }));
  const collator = new Intl.Collator("en", { numeric: true });

  function compare(a, b, column, direction) {
    const [x, y] = [a.keys[column], b.keys[column]];
    if (x === null || y === null) return (x === null) - (y === null) || a.place - b.place;
    const order = isNumber[column] ? x - y : collator.compare(x, y);
    return direction * order || a.place - b.place;
  }

  function sort(column) {
    const head = heads[column];
    const ascends = head.getAttribute("aria-sort") !== "ascending";
    for (const each of heads) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascends ? "ascending" : "descending");
    const direction = ascends ? 1 : -1;
    body.append(...rows.sort((a, b) => compare(a, b, column, direction)).map((each) => each.row));
  }

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(column));
    head.append(button);
  });

  const search = form.querySelector("input");
  const choices = [...form.querySelectorAll("select")];
  const output = form.querySelector("output");

  function filter() {
    const terms = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = choices.filter((select) => select.value);
    let shown = 0;
    for (const { row, text } of rows) {
      const matches =
        terms.every((term) => text.includes(term)) &&
        wanted.every((select) => row.dataset[select.dataset.key] === select.value);
      row.hidden = !matches;
      shown += matches;
    }
    output.textContent = shown + " of " + rows.length + (rows.length === 1 ? " row" : " rows");
  }

  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
})();
