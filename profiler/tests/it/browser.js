// Uses report.html as a reader does and puts the result into the title, for browser.rs.
addEventListener("load", async () => {
  const turn = () => new Promise((resolve) => setTimeout(resolve, 50));
  await turn();
  const told = {};

  // Sorting: every section of the table by its change, up, down, as it was.
  const table = document.querySelector("section[id^=case] table");
  const keys = () => [...table.tBodies].map((body) =>
    [...body.rows].map((row) => row.cells[3]?.dataset.key).filter((key) => key !== undefined).map(Number));
  const sorted = (sign) => keys().every((list) => list.every((key, i) => i === 0 || sign * (key - list[i - 1]) >= 0));
  const title = table.tHead.rows[0].cells[3];
  const before = JSON.stringify(keys());
  title.firstElementChild.focus();
  told.sortable_by_keyboard = document.activeElement === title.firstElementChild;
  title.firstElementChild.click();
  told.ascending = sorted(1) && title.getAttribute("aria-sort") === "ascending";
  title.firstElementChild.click();
  told.descending = sorted(-1) && title.getAttribute("aria-sort") === "descending";
  title.firstElementChild.click();
  told.as_before = JSON.stringify(keys()) === before && title.getAttribute("aria-sort") === "none";
  told.sections_keep_their_titles = [...table.tBodies].every((body) => body.rows[0].className === "source");

  told.dots = document.querySelectorAll(".chart circle").length;
  told.links_lead_somewhere = [...document.querySelectorAll("nav a")].every((link) => document.querySelector(link.hash));
  told.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  told.page_colour = getComputedStyle(document.body).backgroundColor;
  told.frames = document.querySelectorAll("iframe").length;
  told.fits = document.documentElement.scrollWidth <= innerWidth;
  told.tables_fit = [...document.querySelectorAll(".scroll")].every((table) => table.scrollWidth <= table.clientWidth);

  const flame = document.querySelector("iframe").contentWindow;
  const groups = [...flame.document.getElementById("frames").children];
  const hidden = () => groups.filter((group) => group.classList.contains("hide")).length;
  const row = (group) => Number(group.querySelector("rect").getAttribute("y"));
  const key = (name) => flame.document.activeElement.dispatchEvent(new flame.KeyboardEvent("keydown", { key: name, bubbles: true }));
  const root = groups.reduce((a, b) => (row(b) > row(a) ? b : a));

  root.focus();
  key("ArrowUp");
  const above = flame.document.activeElement;
  told.arrows_move = row(above) < row(root);
  told.one_tab_stop = flame.document.querySelectorAll("#frames > [tabindex='0']").length === 1;
  // A frame that is not all of its row, so that zooming must hide its neighbours.
  const narrow = groups.find((group) => Number(group.querySelector("rect").getAttribute("fg:w")) < flame.total_samples / 2);
  narrow.querySelector("rect").dispatchEvent(new flame.MouseEvent("click", { bubbles: true }));
  told.click_hides = hidden();
  told.zoomed_width = narrow.querySelector("rect").getAttribute("width");
  key("Escape");
  told.escape_hides = hidden();
  narrow.focus();
  key("Enter");
  told.enter_hides = hidden();
  key("Escape");

  const input = flame.document.querySelector("input");
  const output = flame.document.querySelector("output");
  const find = (text) => {
    input.value = text;
    input.dispatchEvent(new flame.Event("input"));
    return groups.filter((group) => group.querySelector("rect").getAttribute("fill") === flame.searchcolor).length;
  };
  told.found = find("evmscope|interp|execute|ops");
  told.found_says = output.value;
  told.not_found = find("no such frame");
  told.bad_pattern = find("(") === 0 && !input.validity.valid;
  told.cleared = find("") === 0 && input.validity.valid && output.value === "";
  document.title = "told " + JSON.stringify(told);
});
