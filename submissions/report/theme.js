"use strict";
(() => {
  const root = document.documentElement, button = document.getElementById("theme");
  const kept = { get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
    set: value => { try { localStorage.setItem("theme", value); } catch { /* a page from the disk may keep nothing */ } } };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  if (["dark", "light"].includes(kept.get())) root.dataset.theme = kept.get();
  button.hidden = false;
  button.addEventListener("click", () => {
    const now = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    kept.set(root.dataset.theme);
  });
})();
