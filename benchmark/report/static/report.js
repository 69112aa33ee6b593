/* Sorting, filtering and the theme. Without this script every table is still there, in full. */
(() => {
  "use strict";
  const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  const UNKNOWN = new Set(["", "–"]);

  /** The text of a cell without its note. */
  const shown = (cell) => (cell.querySelector(".v") || cell).textContent.trim();

  /** A number, a text, or null where nothing is known. */
  const key = (cell) => {
    if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
    if (cell.classList.contains("num")) return null;
    const text = cell.textContent.trim();
    return UNKNOWN.has(text) ? null : text;
  };

  const compare = (a, b, sign) => {
    if (a === null || b === null) return (a === null) - (b === null); // unknown last, either way
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * collator.compare(String(a), String(b));
  };

  const sortBy = (table, header, live) => {
    const index = header.cellIndex;
    const descending = header.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [key(row.cells[index]), row]);
    rows.sort(([a], [b]) => compare(a, b, descending ? -1 : 1));
    body.append(...rows.map(([, row]) => row));
    live.textContent = `sorted by ${header.innerText.replace(/\s+/g, " ").trim()}, ` +
      (descending ? "descending" : "ascending");
  };

  const makeSortable = (table, live) => {
    for (const header of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      const arrow = document.createElement("span");
      arrow.className = "arrow";
      arrow.setAttribute("aria-hidden", "true");
      button.append(...header.childNodes);
      button.firstChild.after(arrow);
      header.append(button);
      button.addEventListener("click", () => sortBy(table, header, live));
    }
  };

  const menu = (table, header) => {
    const label = document.createElement("label");
    const select = document.createElement("select");
    const values = new Set();
    for (const row of table.tBodies[0].rows) values.add(shown(row.cells[header.cellIndex]));
    if (values.size < 2) return null;
    for (const value of ["", ...values]) select.append(new Option(value || "all", value));
    if (values.has(header.dataset.preset)) select.value = header.dataset.preset;
    select.dataset.column = header.cellIndex;
    label.append(`${header.dataset.facet} `, select);
    return label;
  };

  const makeFilterable = (bar) => {
    const table = document.getElementById(bar.dataset.for);
    const search = bar.querySelector("input");
    const count = bar.querySelector("output");
    const labels = [...table.tHead.rows[0].cells]
      .filter((header) => header.dataset.facet)
      .map((header) => menu(table, header));
    bar.querySelector(".menus").append(...labels.filter(Boolean));
    const apply = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      const chosen = [...bar.querySelectorAll("select")].filter((select) => select.value);
      let left = 0;
      for (const row of table.tBodies[0].rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word)) ||
          !chosen.every((select) => shown(row.cells[select.dataset.column]) === select.value);
        left += !row.hidden;
      }
      count.textContent = `${left} of ${table.tBodies[0].rows.length} rows`;
    };
    bar.addEventListener("input", apply);
    bar.hidden = false;
    apply();
  };

  const makeGallery = (bar) => {
    const select = bar.querySelector("select");
    select.addEventListener("input", () => {
      for (const item of document.querySelectorAll(".cases li")) {
        item.hidden = Boolean(select.value) && item.dataset.system !== select.value;
      }
    });
    bar.hidden = false;
  };

  const THEMES = ["automatic", "light", "dark"];
  const makeThemes = (button) => {
    const remember = (value) => { try { localStorage.setItem("equilux-theme", value); } catch { /* private mode */ } };
    const recall = () => { try { return localStorage.getItem("equilux-theme"); } catch { return null; } };
    const set = (name) => {
      if (name === "automatic") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = name;
      button.textContent = `Theme: ${name}`;
    };
    let current = Math.max(0, THEMES.indexOf(recall()));
    set(THEMES[current]);
    button.addEventListener("click", () => {
      current = (current + 1) % THEMES.length;
      set(THEMES[current]);
      remember(THEMES[current]);
    });
    button.hidden = false;
  };

  /** Tables that need no scrolling of their own keep their header below the menu of the page. */
  const fit = () => {
    const boxes = [...document.querySelectorAll(".scroll")];
    const fits = boxes.map((box) => box.clientWidth > 0 && box.scrollWidth <= box.clientWidth);
    boxes.forEach((box, index) => box.classList.toggle("fits", fits[index]));
  };

  const live = document.createElement("p");
  live.className = "skip";
  live.setAttribute("aria-live", "polite");
  document.body.append(live);
  for (const bar of document.querySelectorAll(".filters[data-for]")) makeFilterable(bar);
  for (const table of document.querySelectorAll("main table")) makeSortable(table, live);
  const gallery = document.getElementById("gallery-filter");
  if (gallery) makeGallery(gallery);
  makeThemes(document.getElementById("theme"));
  fit();
  addEventListener("resize", fit);
  document.addEventListener("toggle", fit, true);
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
})();
