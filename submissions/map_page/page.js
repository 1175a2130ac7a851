"use strict";
(async () => {
  const data = JSON.parse(document.getElementById("data").textContent), $ = id => document.getElementById(id);
  const { rows, columns, areas, degrees } = data, UNKNOWN = 255, MOST = UNKNOWN - 1;
  const COLOURS = ["#ff2d55", "#ffb000", "#00c2ff", "#b5e61d", "#c77dff", "#ff7a00", "#2de2c5", "#ffe14d", "#ff8fd0", "#5b8cff",
    "#d4a373", "#00e676", "#e0aaff", "#ff5252", "#a0d8ff", "#f4f1de", "#9ef01a"];
  const calm = matchMedia("(prefers-reduced-motion: reduce)");

  const unpack = async text => {
    const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const plane = new Uint8Array(await new Response(stream).arrayBuffer());
    // Of differences to the right, then downwards: a byte that overflows is what it was.
    for (let at = 0; at < plane.length; at++) if (at % columns) plane[at] += plane[at - 1];
    for (let at = columns; at < plane.length; at++) plane[at] += plane[at - columns];
    return plane;
  };

  // Connected regions of cells from a number on, also by corners; as Python's `decide` finds them.
  const regionsOf = (plane, first) => {
    const owner = new Int32Array(plane.length).fill(-1), found = [], stack = [];
    const isThere = cell => plane[cell] >= first && plane[cell] !== UNKNOWN;
    for (let start = 0; start < plane.length; start++) {
      if (owner[start] >= 0 || !isThere(start)) continue;
      const cells = [], number = found.length;
      let highest = 0, sum = 0, km2 = 0, top = rows, left = columns, bottom = 0, right = 0;
      owner[start] = number; stack.push(start);
      while (stack.length) {
        const cell = stack.pop(), row = Math.floor(cell / columns), column = cell % columns;
        cells.push(cell); sum += plane[cell]; highest = Math.max(highest, plane[cell]); km2 += areas[0][row] * areas[1][column];
        top = Math.min(top, row); bottom = Math.max(bottom, row + 1); left = Math.min(left, column); right = Math.max(right, column + 1);
        for (let y = Math.max(0, row - 1); y <= Math.min(rows - 1, row + 1); y++)
          for (let x = Math.max(0, column - 1); x <= Math.min(columns - 1, column + 1); x++) {
            const next = y * columns + x;
            if (owner[next] < 0 && isThere(next)) { owner[next] = number; stack.push(next); }
          }
      }
      found.push({ cells, owner, number, first: start, highest: highest / MOST, mean: sum / cells.length / MOST, km2, top, left, bottom, right });
    }
    return found;
  };

  // The lines between cells of a region and others, each as long as it is straight: in Leaflet's coordinates, y up.
  const outline = region => {
    const { owner, number } = region, lines = [];
    const isIn = (row, column) => column >= 0 && column < columns && owner[row * columns + column] === number;
    for (let row = region.top; row <= region.bottom; row++)
      for (let column = region.left, from = -1; column <= region.right; column++) {
        const edge = column < region.right && isIn(row, column) !== isIn(row - 1, column);
        if (edge && from < 0) from = column;
        if (!edge && from >= 0) { lines.push([[-row, from], [-row, column]]); from = -1; }
      }
    for (let column = region.left; column <= region.right; column++)
      for (let row = region.top, from = -1; row <= region.bottom; row++) {
        const edge = row < region.bottom && isIn(row, column) !== isIn(row, column - 1);
        if (edge && from < 0) from = row;
        if (!edge && from >= 0) { lines.push([[-from, column], [-row, column]]); from = -1; }
      }
    return lines;
  };

  const placeOf = (x, y) => {
    if (!degrees) return `column ${(x * data.factor).toFixed(1)}, row ${(y * data.factor).toFixed(1)}`;
    const spans = degrees.length - 1, across = Math.min(Math.max(x / columns, 0), 1) * spans, down = Math.min(Math.max(y / rows, 0), 1) * spans;
    const i = Math.min(Math.floor(down), spans - 1), j = Math.min(Math.floor(across), spans - 1), v = down - i, u = across - j;
    const [lon, lat] = [0, 1].map(axis => (1 - v) * ((1 - u) * degrees[i][j][axis] + u * degrees[i][j + 1][axis])
      + v * ((1 - u) * degrees[i + 1][j][axis] + u * degrees[i + 1][j + 1][axis]));
    return `${Math.abs(lat).toFixed(4)}° ${lat < 0 ? "S" : "N"}, ${Math.abs(lon).toFixed(4)}° ${lon < 0 ? "W" : "E"}`;
  };

  const areaOf = km2 => km2 < 1 ? `${(100 * km2).toFixed(2)} ha` : `${km2.toFixed(2)} km²`;

  const bounds = L.latLngBounds([[-rows, 0], [0, columns]]);
  const map = L.map("map", { crs: L.CRS.Simple, minZoom: -8, maxZoom: 7, zoomSnap: 0.25, preferCanvas: true, attributionControl: false,
    zoomAnimation: !calm.matches, fadeAnimation: !calm.matches });
  map.createPane("picture").style.zIndex = 200;
  map.createPane("cells").style.zIndex = 350;
  if (data.picture) L.imageOverlay(data.picture, bounds, { alt: "The scene", pane: "picture" }).addTo(map);
  map.fitBounds(bounds);
  const ring = L.polyline([], { color: "#ffffff", weight: 4, interactive: false }).addTo(map);
  const inner = L.polyline([], { color: "#000000", weight: 1.5, interactive: false }).addTo(map);

  const paint = label => {
    const canvas = document.createElement("canvas"), colour = [1, 3, 5].map(at => parseInt(label.colour.slice(at, at + 2), 16));
    canvas.width = columns; canvas.height = rows;
    const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
    for (const region of label.regions)
      for (const cell of region.cells) {
        for (let band = 0; band < 3; band++) image.data[4 * cell + band] = colour[band];
        image.data[4 * cell + 3] = 60 + Math.round(195 * label.plane[cell] / MOST);
      }
    context.putImageData(image, 0, 0);
    return canvas.toDataURL();
  };

  const shownRegions = label => label.regions.filter(region => region.km2 * 100 >= smallest());
  const smallest = () => Math.max(0, Number($("smallest").value) || 0);
  const draw = label => {
    for (const layer of label.layers) layer.remove();
    label.layers = [];
    if (!label.box.checked) return;
    const cells = L.imageOverlay(paint({ ...label, regions: shownRegions(label) }), bounds,
      { opacity: $("opacity").value / 100, pane: "cells", className: "cells", alt: "" });
    const lines = L.polyline(shownRegions(label).flatMap(outline), { color: label.colour, weight: 1.5, interactive: false });
    label.layers = [cells.addTo(map), lines.addTo(map)];
  };
  const say = label => {
    label.cut.value = label.now;
    label.said.value = label.now > MOST ? "none" : (label.now / MOST).toFixed(2);
    label.cut.setAttribute("aria-valuetext", label.said.value);
  };
  const decide = label => { say(label); label.regions = regionsOf(label.plane, label.now); };

  const choose = (item, button) => {
    for (const other of $("list").querySelectorAll("[aria-current]")) other.removeAttribute("aria-current");
    button?.setAttribute("aria-current", "true");
    const { region } = item, margin = Math.max(2, (region.right - region.left + region.bottom - region.top) / 4);
    const lines = outline(region), around = [[Math.max(-rows, -region.bottom - margin), Math.max(0, region.left - margin)],
      [Math.min(0, margin - region.top), Math.min(columns, region.right + margin)]];
    ring.setLatLngs(lines).bringToFront(); inner.setLatLngs(lines).bringToFront();
    const { top, bottom } = $("map").getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) $("map").scrollIntoView({ block: "nearest" });  // on a phone the list is below it
    if (calm.matches) map.fitBounds(around, { animate: false }); else map.flyToBounds(around, { duration: 0.6 });
  };
  let listed = [];
  const list = () => {
    const wanted = $("which").value, chosen = labels.filter(label => wanted === "" ? label.box.checked : label.number === Number(wanted));
    const every = chosen.flatMap(label => shownRegions(label).map(region => ({ label, region })));
    every.sort((a, b) => b.region.highest - a.region.highest || b.region.mean - a.region.mean || a.label.number - b.label.number || a.region.first - b.region.first);
    listed = every.slice(0, data.most);
    const km2 = every.reduce((sum, item) => sum + item.region.km2, 0).toLocaleString("en", { maximumFractionDigits: 2 });
    const many = every.length.toLocaleString("en");
    $("count").textContent = listed.length < every.length ? `The ${listed.length.toLocaleString("en")} highest of ${many} detections, ${km2} km² in all` : `${many} detection${every.length === 1 ? "" : "s"}, ${km2} km²`;
    $("list").replaceChildren(...listed.map(item => {
      const line = document.createElement("li"), button = document.createElement("button"), { label, region } = item;
      const part = (name, text) => { const it = document.createElement("span"); it.className = name; it.textContent = text; return it; };
      const swatch = part("swatch", ""); swatch.style.background = label.colour;
      button.type = "button";
      button.append(swatch, part("name", label.name), part("figures", `${region.highest.toFixed(2)} · ${areaOf(region.km2)}`),
        part("place", placeOf((region.left + region.right) / 2, (region.top + region.bottom) / 2)));
      button.addEventListener("click", () => choose(item, button));
      line.append(button);
      return line;
    }));
    for (const label of labels) label.many.textContent = ` ${shownRegions(label).length.toLocaleString("en")}`;
  };
  const forget = () => { ring.setLatLngs([]); inner.setLatLngs([]); };
  // A slider is moved faster than large planes are decided: once a frame, by where it is then.
  const moved = new Set();
  const decideSoon = label => {
    if (!moved.size) requestAnimationFrame(() => {
      for (const each of moved) { decide(each); draw(each); }
      moved.clear(); list(); forget();
    });
    moved.add(label); say(label);
  };

  const labels = await Promise.all(data.labels.map(async ({ name, first, plane, sky }, number) => {
    const line = document.createElement("li"), words = document.createElement("label"), box = document.createElement("input");
    const cut = document.createElement("input"), said = document.createElement("output"), many = document.createElement("span"), swatch = document.createElement("span");
    box.type = "checkbox"; cut.type = "range"; cut.min = 0; cut.max = UNKNOWN; cut.setAttribute("aria-label", `Cut of ${name}`);
    cut.id = `cut-${number}`; said.htmlFor = cut.id;
    swatch.className = "swatch"; many.className = "quiet";
    const label = { name, number, sky, first, now: first, plane: await unpack(plane), colour: COLOURS[number % COLOURS.length], box, cut, said, many, layers: [], regions: [] };
    swatch.style.background = label.colour;
    words.append(box, swatch, name, many);
    line.append(words, cut, said);
    box.addEventListener("change", () => { draw(label); list(); });
    cut.addEventListener("input", () => { label.now = Number(cut.value); decideSoon(label); });
    label.line = line;
    return label;
  }));
  for (const label of labels) {
    decide(label);
    // The sky, and what covers much of the ground, hide the rest: they are shown when they are asked for.
    const covered = label.regions.reduce((sum, region) => sum + region.cells.length, 0);
    label.box.checked = !label.sky && covered < 0.2 * rows * columns;
    const option = document.createElement("option");
    option.value = label.number; option.textContent = label.name;
    $("which").append(option);
  }
  if (!labels.some(label => label.box.checked)) for (const label of labels) label.box.checked = true;
  $("labels").append(...labels.map(label => label.line));
  labels.forEach(draw);
  list();
  $("which").addEventListener("change", list);
  $("opacity").addEventListener("input", () => { for (const label of labels) label.layers[0]?.setOpacity($("opacity").value / 100); });
  $("smallest").addEventListener("input", () => { labels.forEach(draw); list(); forget(); });
  $("reset").addEventListener("click", () => {
    for (const label of labels) { label.now = label.first; decide(label); draw(label); }
    $("smallest").value = data.smallest;
    list(); forget();
  });
  map.on("mousemove", event => {
    const { lat, lng } = event.latlng;
    $("where").textContent = lng >= 0 && lng < columns && -lat >= 0 && -lat < rows ? placeOf(lng, -lat) : " ";
  });
  map.on("click", event => {
    const row = Math.floor(-event.latlng.lat), column = Math.floor(event.latlng.lng);
    if (row < 0 || row >= rows || column < 0 || column >= columns) return;
    const at = listed.findIndex(item => item.label.box.checked && item.region.cells.includes(row * columns + column));
    if (at < 0) return;
    const button = $("list").children[at].firstElementChild;
    choose(listed[at], button);
    const { offsetTop, offsetHeight } = button;
    if ($("list").scrollHeight > $("list").clientHeight) $("list").scrollTop = offsetTop - $("list").offsetTop - offsetHeight;
  });
  document.documentElement.dataset.ready = "true";
})();
