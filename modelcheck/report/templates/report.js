// The page is complete without this file: it only filters, sorts, walks and enlarges what is already there.
"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const make = (tag, text) => { const node = document.createElement(tag); if (text !== undefined) node.textContent = text; return node; };
  document.documentElement.classList.add("scripted");
  const say = (text) => { $("live").textContent = text; };

  // Commands to copy.
  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      const code = button.previousElementSibling;
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        // Some browsers forbid the clipboard to local files: the text is selected for the keyboard instead.
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      say(button.textContent);
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  // Findings: filter, search, sort; the state lives in the address.
  const data = JSON.parse($("data").textContent);
  const form = $("filters");
  const places = form ? [$("rows"), $("rest")].filter(Boolean).map((table) => table.tBodies[0]) : [];
  const home = new Map(places.flatMap((place) => [...place.rows].map((row) => [row, place])));
  const rows = [...home.keys()];
  const fields = ["status", "kind", "sort", "q"];
  const last = (value) => (value === null ? Infinity : value);
  const change = (row) => (row.value === null || row.baseline === null ? Infinity : row.value - row.baseline);
  const orders = {
    "": (a, b) => a.order - b.order,
    name: (a, b) => a.title.localeCompare(b.title) || a.text.localeCompare(b.text),
    value: (a, b) => last(a.value) - last(b.value),
    change: (a, b) => change(a) - change(b),
  };
  const shown = () => rows.filter((row) => !row.hidden);

  function apply() {
    const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const item = data[Number(row.dataset.row)];
      row.hidden = Boolean((form.status.value && item.state !== form.status.value)
        || (form.kind.value && item.area !== form.kind.value)
        || !words.every((word) => item.text.includes(word)));
    }
    const order = orders[form.sort.value] || orders[""];
    const place = (row) => Number(row.dataset.row);
    const compare = (a, b) => { const by = order(data[place(a)], data[place(b)]); return (Number.isNaN(by) ? 0 : by) || place(a) - place(b); };
    rows.sort(compare);
    // Whoever looks for something sees all of it in one table; otherwise what passed stays folded.
    const asked = fields.some((name) => form[name].value);
    for (const place of places) place.append(...rows.filter((row) => (asked ? places[0] : home.get(row)) === place));
    if ($("others")) $("others").hidden = asked;
    const count = shown().length;
    $("shown").textContent = `${count} of ${rows.length}`;
    $("nothing").hidden = count > 0;
  }
  function write() {
    const state = new URLSearchParams();
    for (const name of fields) if (form[name].value) state.set(name, form[name].value);
    const text = state.toString();
    history.replaceState(null, "", text ? `#${text}` : location.pathname + location.search);
  }
  function read() {
    if (!location.hash.includes("=")) return false;
    const state = new URLSearchParams(location.hash.slice(1));
    for (const name of fields) {
      form[name].value = state.get(name) || "";
      if (form[name].selectedIndex === -1) form[name].value = "";
    }
    return true;
  }
  if (form) {
    const linked = read();
    apply();
    const jump = () => { $("findings").querySelector("details").open = true; $("findings").scrollIntoView(); };
    if (linked) jump();
    for (const chip of document.querySelectorAll(".chip[data-status]")) chip.href = `#status=${chip.dataset.status}`;
    form.addEventListener("input", () => { apply(); write(); });
    form.addEventListener("submit", (event) => event.preventDefault());
    addEventListener("hashchange", () => { if (read()) { apply(); jump(); } });
  }

  // A link to what is folded opens it, and all that it lies in.
  const reveal = () => {
    const target = location.hash.length > 1 && !location.hash.includes("=") ? $(decodeURIComponent(location.hash.slice(1))) : null;
    if (!target) return;
    const own = target.tagName === "DETAILS" ? target : target.querySelector(":scope > details.part");
    if (own) own.open = true;
    for (let at = target.closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  // The keyboard walks the findings that did not pass.
  function walk(step) {
    const bad = shown().filter((row) => data[Number(row.dataset.row)].bad);
    if (!bad.length) { say("No finding that did not pass is shown."); return; }
    const here = bad.indexOf(document.activeElement.closest ? document.activeElement.closest("tr") : null);
    const next = here === -1 ? (step > 0 ? 0 : bad.length - 1) : (here + step + bad.length) % bad.length;
    for (let at = bad[next].closest("details"); at; at = at.parentElement.closest("details")) at.open = true;
    bad[next].focus({ preventScroll: true });
    bad[next].scrollIntoView({ block: "center" });
  }
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || $("viewer").open) return;
    if (event.target.closest("input, select, textarea")) { if (event.key === "Escape") event.target.blur(); return; }
    if (event.key === "n" || event.key === "j") walk(1);
    else if (event.key === "p" || event.key === "k") walk(-1);
    else if (event.key === "/" && form) { event.preventDefault(); form.q.focus(); }
  });

  // The viewer: a pair of maps side by side, in turn, swiped or blended.
  const space = "http://www.w3.org/2000/svg";
  const viewer = $("viewer"), stage = $("viewer-stage"), mix = $("viewer-mix"), slider = mix.querySelector("input");
  const modes = { side: "Side by side", turn: "Switch", swipe: "Swipe", blend: "Blend" };
  let tiles = [], mode = "side", over = null, edge = null;
  const copy = (tile, label) => { const node = tile.cloneNode(true); node.setAttribute("aria-label", label || tile.getAttribute("aria-label")); return node; };

  const named = (tile) => { const figure = make("figure"); figure.append(copy(tile), make("figcaption", tile.getAttribute("aria-label"))); return figure; };

  function moved() {
    const share = Number(slider.value) / 100;
    if (!over) return;
    // The handle is the edge: the baseline lies to its left, the candidate to its right.
    if (mode === "swipe") edge.setAttribute("x", String(tiles[0].viewBox.baseVal.width * share));
    else over.setAttribute("opacity", mode === "turn" ? (share > 0.5 ? "1" : "0") : String(share));
  }
  function show() {
    for (const button of viewer.querySelectorAll(".modes button")) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    stage.classList.toggle("single", mode !== "side");
    mix.hidden = mode === "side";
    const { width, height } = tiles[0].viewBox.baseVal;
    stage.style.setProperty("--ratio", String(width / height)); // as wide as the height allows: a wider frame shows neighbours
    over = null;
    if (mode === "side") { stage.replaceChildren(...tiles.map(named)); return; }
    const base = copy(tiles[0], `${tiles[0].getAttribute("aria-label")} and ${tiles[1].getAttribute("aria-label")}`);
    over = document.createElementNS(space, "g");
    over.append(...[...tiles[1].children].map((child) => child.cloneNode(true)));
    if (mode === "swipe") {
      const clip = document.createElementNS(space, "clipPath");
      edge = document.createElementNS(space, "rect");
      clip.setAttribute("id", "swipe-edge");
      edge.setAttribute("width", "100%");
      edge.setAttribute("height", "100%");
      clip.append(edge);
      base.append(clip);
      over.setAttribute("clip-path", "url(#swipe-edge)");
    }
    base.append(over);
    stage.replaceChildren(base);
    slider.step = mode === "turn" ? "100" : "1";
    slider.value = mode === "turn" ? "0" : "50";
    moved();
  }
  for (const [name, text] of Object.entries(modes)) {
    const button = make("button", text);
    button.type = "button";
    button.dataset.mode = name;
    button.addEventListener("click", () => { mode = name; show(); });
    viewer.querySelector(".modes").append(button);
  }
  slider.addEventListener("input", moved);
  stage.addEventListener("click", () => { if (mode === "turn") { slider.value = slider.value === "0" ? "100" : "0"; moved(); } });
  $("viewer-close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });

  function open(figure) {
    tiles = [...figure.querySelectorAll("svg.tile")];
    const layer = figure.closest(".layer");
    const name = layer ? layer.querySelector(".name").textContent : "";
    const caption = figure.querySelector("figcaption");
    $("viewer-title").textContent = figure.dataset.title || `${name}: units ${caption.firstChild.textContent.trim()}, maps alike ${caption.lastChild.textContent}`;
    show();
    viewer.showModal();
  }
  for (const figure of document.querySelectorAll("figure.large, figure.pair, .looks figure")) {
    if (figure.querySelectorAll("svg.tile").length < 2) continue;
    figure.classList.add("opens");
    figure.tabIndex = 0;
    figure.addEventListener("click", (event) => { if (event.target.closest(".four, .duo")) open(figure); });
    figure.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); open(figure); } });
  }
})();
