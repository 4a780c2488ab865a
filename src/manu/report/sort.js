// Sorts a table by a click on a head: ascending, descending, then in the original order.
"use strict";

function valueOf(cell) {
  const text = cell.dataset.text ?? cell.textContent.trim();
  return text === "\u2013" ? "" : text.replace(/\u2212/g, "-");
}

function numberIn(text) {
  return /^[-+]?\d/.test(text) ? parseFloat(text) : NaN;
}

function sortBy(button) {
  const head = button.closest("th"), table = head.closest("table"), body = table.tBodies[0];
  const column = Number(head.dataset.column);
  const before = head.getAttribute("aria-sort");
  const after = before === "ascending" ? "descending" : before === "descending" ? "none" : "ascending";
  const rows = [...body.rows];
  if (!table.dataset.numbered) {
    rows.forEach((row, place) => { row.dataset.place = place; });
    table.dataset.numbered = "yes";
  }
  for (const other of table.querySelectorAll("th[aria-sort]")) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", after);
  table.classList.toggle("sorted", after !== "none");
  const sign = after === "descending" ? -1 : 1;
  const keyed = rows.map((row) => {
    const text = valueOf(row.cells[column]);
    return { row, text, number: numberIn(text), place: Number(row.dataset.place) };
  });
  const numeric = keyed.every((cell) => cell.text === "" || !Number.isNaN(cell.number));
  keyed.sort((one, other) => {
    if (after === "none") return one.place - other.place;
    if ((one.text === "") !== (other.text === "")) return one.text === "" ? 1 : -1;
    const order = numeric ? one.number - other.number : one.text.localeCompare(other.text, "en", { numeric: true });
    return sign * (order || 0) || one.place - other.place;
  });
  body.append(...keyed.map((cell) => cell.row));
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortBy(button));
}
