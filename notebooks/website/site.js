"use strict";
// The site's few manners: colours, formulas, contents, copying and the search. Nothing is fetched.
const root = document.documentElement;
const remember = {
  get: () => { try { return localStorage.theme || ""; } catch { return ""; } },
  set: (theme) => { try { localStorage.theme = theme; } catch { /* not allowed: until the next page */ } },
};
root.dataset.theme = remember.get();

window.MathJax = {
  tex: { inlineMath: [["$", "$"], ["\\(", "\\)"]], processEscapes: true },
  svg: { fontCache: "global" },
  options: { enableMenu: false },
  startup: {
    // Formulas change the heights above a place: go there once more.
    pageReady: () => MathJax.startup.defaultPageReady().then(() => {
      root.dataset.formulas = "ready";
      const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
      if (place) place.scrollIntoView();
    }),
  },
};

function themes() {
  const choice = document.getElementById("theme");
  choice.value = remember.get();
  choice.addEventListener("change", () => {
    root.dataset.theme = choice.value;
    remember.set(choice.value);
  });
}

function contents() {
  const wide = matchMedia("(min-width: 64rem)"), list = document.querySelector(".contents");
  const follow = () => { list.open = wide.matches; };
  wide.addEventListener("change", follow);
  follow();
  if (wide.matches) list.scrollTop = list.querySelector('[aria-current="page"]').offsetTop - 100;
  list.addEventListener("click", (event) => {
    if (event.target.closest("a") && !wide.matches) list.open = false;
  });
  const links = new Map([...list.querySelectorAll("li li a")].map((a) => [decodeURIComponent(a.hash.slice(1)), a]));
  const headings = [...document.querySelectorAll("main h2")].filter((h2) => links.has(h2.id));
  const mark = () => {
    const read = headings.filter((h2) => h2.getBoundingClientRect().top < innerHeight / 3).pop();
    for (const [id, a] of links) {
      if (read && id === read.id) a.setAttribute("aria-current", "location");
      else a.removeAttribute("aria-current");
    }
  };
  addEventListener("scroll", mark, { passive: true });
  mark();
}

function copying() {
  if (!navigator.clipboard) return;
  for (const block of document.querySelectorAll(".highlight")) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: "Copy" });
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(block.querySelector("pre").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    block.append(button);
  }
}

// A word is found with and without its hyphens: `overfitting` in "over-fitting".
function pattern(word) {
  const letters = [...word.replace(/-/g, "") || word];
  return new RegExp(letters.map((letter) => letter.replace(/[\\^$.*+?()[\]{}|/]/, "\\$&")).join("-?"), "giu");
}

// What a word counts: in the text, in the heading, in the page's name above the first heading.
function score(word, text, heading, page) {
  const counts = [[text, 1], [heading, 6], [heading ? "" : page, 10]].map(([part, weight]) => {
    const times = [...part.matchAll(word)];
    const begins = times.some(({ index }) => !/[\p{L}\p{N}]/u.test(part[index - 1] || " "));
    return weight * (begins ? 2 : 1) * Math.min(times.length, 3);
  });
  return counts[0] + counts[1] + counts[2];
}

// Every word must be there; the words in a row, and alone in a heading, count more.
function matches(query) {
  const words = query.split(/\s+/).filter(Boolean).map(pattern);
  const row = pattern(query.trim());
  const found = [];
  for (const [page, place, heading, text] of words.length ? window.courseWords : []) {
    const scores = words.map((word) => score(word, text, heading, page));
    if (!scores.every(Boolean)) continue;
    const alone = heading.toLowerCase() === query.trim().toLowerCase() ? 50 : 0;
    const sum = scores.reduce((a, b) => a + b) + 2 * score(row, text, heading, page) + alone;
    found.push({ page, place, heading, text, score: sum });
  }
  return { words, found: found.sort((a, b) => b.score - a.score) };
}

// The text around the first word, every word marked.
function context(text, words) {
  const first = Math.min(...words.map((word) => text.search(word)).filter((at) => at >= 0));
  const from = Number.isFinite(first) ? Math.max(0, text.lastIndexOf(" ", Math.max(0, first - 50)) + 1) : 0;
  const to = text.length - from > 180 ? text.lastIndexOf(" ", from + 180) : text.length;
  const part = text.slice(from, to);
  const nodes = document.createDocumentFragment();
  let end = 0;
  const any = new RegExp(words.map((word) => word.source).join("|"), "giu");
  for (const found of part.matchAll(any)) {
    const mark = document.createElement("mark");
    mark.textContent = found[0];
    nodes.append(part.slice(end, found.index), mark);
    end = found.index + found[0].length;
  }
  nodes.prepend(from ? "… " : "");
  nodes.append(part.slice(end), to < text.length ? " …" : "");
  return nodes;
}

function searching() {
  const form = document.getElementById("search"), query = document.getElementById("query");
  const panel = document.getElementById("found");
  const [status, list] = [panel.querySelector("p"), panel.querySelector("ul")];
  let loading = null; // a script, for a page opened from a folder may not fetch
  const load = () => loading ||= new Promise((done) => {
    document.head.append(Object.assign(document.createElement("script"), { src: "search.js", onload: done }));
  });
  const close = () => { panel.hidden = true; };
  const show = async () => {
    await load();
    const { words, found } = matches(query.value);
    panel.hidden = words.length === 0;
    status.textContent = found.length ? `${found.length} ${found.length === 1 ? "place" : "places"}` : "Nothing found: try one word, or the beginning of it.";
    list.replaceChildren(...found.slice(0, 20).map(({ page, place, heading, text }) => {
      const a = Object.assign(document.createElement("a"), { href: place });
      const title = document.createElement("strong"), around = document.createElement("span");
      title.textContent = heading ? `${page} › ${heading}` : page;
      around.append(context(text, words));
      a.append(title, around);
      const item = document.createElement("li");
      item.append(a);
      return item;
    }));
  };
  query.addEventListener("focus", () => { load(); if (query.value) show(); });
  query.addEventListener("input", show);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await show();
    list.querySelector("a")?.click();
  });
  form.addEventListener("keydown", (event) => {
    const stops = [query, ...list.querySelectorAll("a")], at = stops.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") { query.focus(); close(); }
    else if (step && !panel.hidden && at >= 0) {
      event.preventDefault();
      stops[Math.min(Math.max(at + step, 0), stops.length - 1)].focus();
    }
  });
  form.addEventListener("focusout", (event) => { if (event.relatedTarget && !form.contains(event.relatedTarget)) close(); });
  document.addEventListener("click", (event) => { if (!form.contains(event.target) || event.target.closest("#found a")) close(); });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.ctrlKey && !event.metaKey && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      query.focus();
    }
  });
}

document.addEventListener("DOMContentLoaded", () => { themes(); contents(); copying(); searching(); });
