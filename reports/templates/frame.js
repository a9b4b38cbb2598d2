// Search, reset and the keyboard for inferno's flamegraph, on top of its own `search`, `zoom`, `unzoom`.
addEventListener("load", () => {
  const [input, button, output] = ["input", "button", "output"].map((tag) => document.querySelector(tag));
  const groups = [...document.getElementById("frames").children];
  const place = (group) => {
    const rect = group.querySelector("rect");
    const at = Number(rect.getAttribute("fg:x"));
    return { row: Number(rect.getAttribute("y")), from: at, to: at + Number(rect.getAttribute("fg:w")) };
  };
  const places = new Map(groups.map((group) => [group, place(group)]));
  const isShown = (group) => !group.classList.contains("hide");

  const find = () => {
    if (searching) search_prompt(); // resets
    input.setCustomValidity("");
    output.value = "";
    if (!input.value) return;
    try {
      search(input.value);
      output.value = searching ? matchedtxt.textContent : "No match";
    } catch {
      input.setCustomValidity("Not a regular expression");
    }
  };
  input.addEventListener("input", find);
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  const showAll = () => {
    unzoom();
    input.value = "";
    find();
  };
  button.addEventListener("click", showAll);

  // Only one frame is in the Tab order (roving tabindex), at first the root.
  let current = groups.reduce((a, b) => (places.get(b).row > places.get(a).row ? b : a));
  const hold = (group) => {
    current.tabIndex = -1;
    current = group;
    current.tabIndex = 0;
  };
  for (const group of groups) {
    group.tabIndex = group === current ? 0 : -1;
    group.setAttribute("role", "button");
    group.setAttribute("aria-label", g_to_text(group));
    group.addEventListener("focus", () => {
      hold(group);
      details.nodeValue = nametype + " " + g_to_text(group);
    });
  }
  const rowsBetween = [...new Set(groups.map((group) => places.get(group).row))].sort((a, b) => a - b);
  const neighbour = (rows, side) => {
    const here = places.get(current);
    const row = rowsBetween[rowsBetween.indexOf(here.row) + rows];
    const candidates = groups.filter((group) => isShown(group) && places.get(group).row === row);
    const overlaps = ({ from, to }) => from < here.to && to > here.from;
    if (rows) return candidates.find((group) => overlaps(places.get(group)));
    candidates.sort((a, b) => places.get(a).from - places.get(b).from);
    return candidates[candidates.indexOf(current) + side];
  };
  const keys = {
    ArrowUp: () => neighbour(-1, 0),
    ArrowDown: () => neighbour(1, 0),
    ArrowLeft: () => neighbour(0, -1),
    ArrowRight: () => neighbour(0, 1),
    Enter: () => (current.querySelector("rect").dispatchEvent(new MouseEvent("click", { bubbles: true })), current),
    Escape: () => (showAll(), current),
  };
  document.getElementById("frames").addEventListener("keydown", (event) => {
    const move = keys[event.key];
    if (!move) return;
    event.preventDefault();
    move()?.focus();
  });
});
