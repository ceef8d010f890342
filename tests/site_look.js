// What is to be seen of an open page of the site: evaluated in Chromium by test_site.py.
() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const shown = (node) => node.checkVisibility({ visibilityProperty: true });

  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode, parent = text.parentElement;
    if (text.data.trim() && !parent.closest("script, style, noscript, mjx-container"))
      texts.push([text.data.trim(), parent]);
  }

  // WCAG 2.2, 1.4.3: the contrast of each text with the ground that it stands on.
  const rgba = (colour) => (colour.match(/[\d.]+/g) || []).map(Number);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = rgba(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const luminance = (colour) => colour.slice(0, 3)
    .map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  const contrast = (node) => {
    const pair = [rgba(getComputedStyle(node).color), ground(node)].map(luminance);
    return (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
  };
  const least = (node) => {
    const { fontSize, fontWeight } = getComputedStyle(node), size = parseFloat(fontSize);
    return size >= 24 || (size >= 18.66 && fontWeight >= 700) ? 3 : 4.5;
  };
  const faint = texts
    .filter(([, node]) => shown(node) && !node.closest(":disabled") && contrast(node) < least(node))
    .map(([text, node]) => `${text.slice(0, 30)}: ${contrast(node).toFixed(2)}`);

  const cells = all(".text[id], .code[id]");
  const perCell = (count) => Object.fromEntries(cells.map((cell) => [cell.id, count(cell)]));
  return {
    title: document.title,
    lang: document.documentElement.lang,
    h1: all("h1").length,
    levels: all("main :is(h1, h2, h3, h4, h5, h6)").map((heading) => +heading.tagName[1]),
    ids: all("[id]").map((node) => node.id).filter((id) => !id.startsWith("MJX")),
    links: all("a[href]").map((a) => a.getAttribute("href")),
    names: all("a, button, summary")
      .filter((node) => shown(node) && !node.innerText.trim())
      .map((node) => node.outerHTML),
    alt: [...document.images].filter((i) => i.alt.trim().length < 20).map((i) => i.alt || i.src.slice(0, 60)),
    unseen: [...document.images].filter((i) => !i.naturalWidth).map((i) => i.alt),
    dollars: texts.filter(([text, node]) => text.includes("$") && !node.closest("pre, code")).map(([text]) => text),
    // A command that MathJax does not know is shown in red, without an error.
    merror: all("[data-mjx-error], [data-mml-node=merror], mjx-container [fill=red]").map(
      (node) => node.dataset.mjxError || node.closest("mjx-container").innerText,
    ),
    silent: all("mjx-container").filter((formula) => !formula.querySelector("mjx-assistive-mml math")).length,
    formulas: perCell((cell) => all("mjx-container > svg", cell).length),
    pictures: perCell((cell) => all(".outputs img", cell).length),
    outputs: perCell((cell) => all(".outputs", cell).map((output) => output.innerText).join("").trim().length),
    wide: document.documentElement.scrollWidth - innerWidth,
    faint: [...new Set(faint)],
  };
}
