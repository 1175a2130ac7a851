"use strict";
(() => {
  const $ = id => document.getElementById(id);
  const rows = [...document.querySelectorAll("#label-table tbody tr")], drawn = [...document.querySelectorAll("details.label")];
  const search = $("label-search"), order = $("label-order");
  const orders = { worst: (a, b) => a.dataset.worst - b.dataset.worst, rarest: (a, b) => a.dataset.support - b.dataset.support,
    frequent: (a, b) => b.dataset.support - a.dataset.support, name: (a, b) => a.dataset.name.localeCompare(b.dataset.name) };
  const find = () => {
    const wanted = search.value.trim().toLowerCase(), hides = row => !row.dataset.name.toLowerCase().includes(wanted);
    for (const row of [...rows, ...drawn]) row.hidden = hides(row);
    $("label-count").textContent = `${rows.filter(row => !row.hidden).length} of ${rows.length} labels`;
  };
  search.addEventListener("input", find);
  order.addEventListener("change", () => rows.sort(orders[order.value]).forEach(row => row.parentNode.append(row)));
  find();

  const chips = [...document.querySelectorAll(".chip")];
  if (!chips.length) return;
  const kind = $("chip-kind"), label = $("chip-label"), fold = $("chip-fold"), name = $("chip-name");
  const filter = () => {
    const id = name.value.trim().toLowerCase();
    for (const chip of chips) {
      const fits = JSON.parse(chip.dataset.why).some(([a, b]) => (!kind.value || a === kind.value) && (!label.value || b === label.value));
      chip.hidden = !(fits && (!fold.value || chip.dataset.fold === fold.value) && chip.dataset.id.toLowerCase().includes(id));
    }
    $("chip-count").textContent = `${chips.filter(chip => !chip.hidden).length} of ${chips.length} chips`;
  };
  for (const it of [kind, label, fold]) it.addEventListener("change", filter);
  name.addEventListener("input", filter);
  filter();
})();
