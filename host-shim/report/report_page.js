"use strict";
(() => {
  const table = document.querySelector(".agents");
  if (!table || table.rows.length < 4) return;
  const MOST = 500;
  const body = table.tBodies[0];
  const rest = document.getElementById("rest");
  const shown = document.getElementById("shown");
  const units = { ms: 0.001, s: 1, min: 60, h: 3600, d: 86400 };
  /* How a change begins, in its order: the page has the whole words only where something changed. */
  const changes = ["wor", "quality lo", "slow", "more exp", "too", "cheap", "fast", "quality hi", "bett"];
  let rows = [...body.rows];
  let others = rest ? JSON.parse(rest.textContent) : [];

  /* Rows that nobody asked for are not made. */
  function makeOthers() {
    rows = rows.concat(others.map((texts) => {
      const row = document.createElement("tr");
      for (const text of texts) row.insertCell().textContent = text;
      return row;
    }));
    others = [];
  }

  function valueOf(row, column) {
    const text = row.cells[column].textContent;
    const change = column === 1 ? changes.findIndex((begin) => text.startsWith(begin)) : -1;
    if (change >= 0) return change;
    const parts = column > 0 && /^(<?)\$?(-?[0-9.]+(?:e[+-][0-9]+)?) ?(ms|s|min|h|d|%)?$/.exec(text);
    return parts ? Number(parts[2]) * (units[parts[3]] || 1) * (parts[1] ? 0.5 : 1) : text;
  }

  function show(text) {
    const found = rows.filter((row) => row.cells[0].textContent.toLowerCase().includes(text));
    body.replaceChildren(...found.slice(0, MOST));
    const more = found.length > MOST ? `${MOST} of ` : "";
    status.textContent = `${more}${found.length} agent${found.length === 1 ? "" : "s"}`;
    if (shown) shown.hidden = true;
  }

  function sort(head, column) {
    const down = head.ariaSort === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.ariaSort = down ? "descending" : "ascending";
    makeOthers();
    const sign = down ? -1 : 1;
    const keyed = rows.map((row) => [valueOf(row, column), row]);
    keyed.sort(([a], [b]) => {
      if ((a === "") !== (b === "")) return a === "" ? 1 : -1;
      return sign * (typeof a === typeof b ? (a > b) - (a < b) : typeof a === "number" ? -1 : 1);
    });
    rows = keyed.map(([, row]) => row);
    show(input.value.trim().toLowerCase());
  }

  const find = document.createElement("div");
  const input = document.createElement("input");
  const status = document.createElement("span");
  find.className = "find";
  status.className = "soft";
  status.setAttribute("role", "status");
  input.type = "search";
  input.placeholder = "find an agent";
  input.setAttribute("aria-label", "find an agent");
  input.addEventListener("input", () => {
    makeOthers();
    show(input.value.trim().toLowerCase());
  });
  find.append(input, status);
  table.before(find);
  table.classList.add("sortable");
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(head, column));
    head.replaceChildren(button);
  });
})();
