// Light or dark: as the system has it, unless it was chosen here. Runs before the page is drawn.
"use strict";
(() => {
  const root = document.documentElement;
  const names = { auto: "automatic", light: "light", dark: "dark" };
  const stored = () => {
    try {
      const theme = localStorage.getItem("theme");
      return theme in names ? theme : "auto";
    } catch {
      return "auto";
    }
  };
  const apply = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };
  apply(stored());
  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    const show = () => { button.textContent = `Theme: ${names[stored()]}`; };
    button.hidden = false;
    show();
    button.addEventListener("click", () => {
      const order = Object.keys(names);
      const next = order[(order.indexOf(stored()) + 1) % order.length];
      try {
        localStorage.setItem("theme", next);
      } catch {
        // Without storage it holds for this page only.
      }
      apply(next);
      button.textContent = `Theme: ${names[next]}`;
    });
  });
})();
