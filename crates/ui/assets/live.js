// Keeps a page up to date: asks for its content again, and changes what has changed. What is focused, selected or opened
// stays so.
"use strict";
(() => {
  const main = document.getElementById("main");
  const state = document.getElementById("live-state");
  if (!main) return;

  // Where the way around does not fit, where one is comes into sight.
  document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  const say = (text) => {
    if (state && state.textContent !== text) state.textContent = text;
  };

  const attributes = (from, to) => {
    for (const { name } of [...from.attributes]) {
      if (!to.hasAttribute(name) && name !== "open") from.removeAttribute(name);
    }
    for (const { name, value } of to.attributes) {
      if (from.getAttribute(name) !== value) from.setAttribute(name, value);
    }
  };

  const alike = (a, b) =>
    a.nodeType === b.nodeType && a.nodeName === b.nodeName &&
    (a.nodeType !== Node.ELEMENT_NODE || (a.id === b.id && a.dataset.key === b.dataset.key));

  const change = (from, to) => {
    if (from.nodeType === Node.TEXT_NODE) {
      if (from.data !== to.data) from.data = to.data;
      return;
    }
    if (from.nodeType !== Node.ELEMENT_NODE || from.isEqualNode(to)) return;
    // What somebody is typing is theirs.
    if (from.tagName === "FORM" && from.contains(document.activeElement)) return;
    attributes(from, to);
    children(from, to);
  };

  const children = (from, to) => {
    let at = from.firstChild;
    for (let next = to.firstChild; next;) {
      const after = next.nextSibling;
      if (at && alike(at, next)) {
        change(at, next);
        at = at.nextSibling;
      } else if (at && at.nextSibling && alike(at.nextSibling, next) && !alike(at, after ?? at.nextSibling)) {
        const gone = at;
        at = at.nextSibling;
        gone.remove();
        change(at, next);
        at = at.nextSibling;
      } else {
        from.insertBefore(document.importNode(next, true), at);
      }
      next = after;
    }
    while (at) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
  };

  let failures = 0;
  const refresh = async () => {
    const answer = await fetch(location.href, {
      headers: { "meseta-fragment": "1" },
      cache: "no-cache",
      redirect: "manual",
      signal: AbortSignal.timeout(20000),
    });
    // Another master leads now: the whole page has to go there.
    if (answer.type === "opaqueredirect") {
      location.reload();
      return;
    }
    if (!answer.headers.get("meseta-fragment")) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(`<main>${await answer.text()}</main>`, "text/html");
    children(main, page.querySelector("main"));
  };

  const seconds = Number(main.dataset.live);
  const again = async () => {
    if (!document.hidden) {
      try {
        await refresh();
        failures = 0;
        say("Up to date");
      } catch {
        failures += 1;
        if (failures > 1) say("The master does not answer; trying again");
      }
    }
    setTimeout(again, Math.min(seconds * 2 ** failures, 30) * 1000);
  };
  if (seconds > 0) {
    say("Up to date");
    setTimeout(again, seconds * 1000);
  }

  // A choice is all that has to be said.
  document.addEventListener("change", (event) => {
    if (event.target.matches(".filters select")) event.target.form.requestSubmit();
  });
})();
