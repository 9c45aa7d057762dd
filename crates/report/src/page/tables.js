// Tables are sorted by their heads; all that is folded is opened for print. Without this script the
// page shows the same. Nothing is put in as markup.
"use strict";
(() => {
// A cell as what it is compared by: its first number, or its text; nothing is the last of all.
function valueOf(cell) {
  const text = cell.textContent.trim();
  if (text === "" || text === "–") return null;
  const found = text.replaceAll("−", "-").match(/^[<+]?(-?\d[\d,]*(\.\d+)?)/);
  if (!found) return text;
  const number = Number(found[1].replaceAll(",", ""));
  return text.startsWith("<") ? number - 1e-9 : number;
}

function compare(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}

// The rows that move; none where a mean stands between others, as they belong to it.
function movableRows(table) {
  const rows = [...table.tBodies[0].rows];
  if (rows.some((row) => row.classList.contains("printed"))) return [];
  const moves = rows.map((row) => !row.classList.contains("strong"));
  const first = moves.indexOf(true);
  const last = moves.lastIndexOf(true);
  return moves.slice(first, last + 1).every(Boolean) && last - first > 0 ? rows.slice(first, last + 1) : [];
}

// The rows that never move keep their places before and behind the others.
function sort(table, rows, place, direction) {
  const sorted = [...rows];
  const sign = direction === "descending" ? -1 : 1;
  if (direction) {
    sorted.sort((a, b) => {
      const [left, right] = [a, b].map((row) => valueOf(row.cells[place]));
      return left === null || right === null ? compare(left, right) : sign * compare(left, right);
    });
  }
  const others = [...table.tBodies[0].rows].filter((row) => !rows.includes(row));
  const before = others.filter((row) => row.dataset.place === "before");
  const behind = others.filter((row) => row.dataset.place !== "before");
  table.tBodies[0].append(...before, ...sorted, ...behind);
}

function makeSortable(table) {
  const rows = table.tBodies.length === 1 ? movableRows(table) : [];
  const heads = table.tHead ? [...table.tHead.rows[table.tHead.rows.length - 1].cells] : [];
  if (rows.length < 2 || heads.length !== rows[0].cells.length) return;
  for (const row of table.tBodies[0].rows) {
    if (row === rows[0]) break;
    row.dataset.place = "before";
  }
  heads.forEach((head, place) => {
    if (head.tagName !== "TH" || head.textContent.trim() === "") return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      const next = { ascending: "descending", descending: null }[now];
      const direction = next === undefined ? "ascending" : next;
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (direction) head.setAttribute("aria-sort", direction);
      sort(table, rows, place, direction);
    });
  });
}

document.querySelectorAll("main table").forEach(makeSortable);

let opened = [];
addEventListener("beforeprint", () => {
  opened = [...document.querySelectorAll("details:not([open])")];
  opened.forEach((one) => { one.open = true; });
});
addEventListener("afterprint", () => {
  opened.forEach((one) => { one.open = false; });
});
})();
