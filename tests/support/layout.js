// What is wrong with how the page that is open is laid out: functions for tests, each of which lists faults in words.
(() => {
  const name = (element) => {
    const words = element.textContent.trim().replace(/\s+/g, " ").slice(0, 40);
    const place = element.closest("section[id]")?.id ?? "";
    return `${place} <${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}"> ${words}`;
  };
  // What only a screen reader gets is cut to nothing.
  const aside = (element) => [".aside", "thead"].some((one) => {
    const found = element.closest(one);
    return found && getComputedStyle(found).clipPath !== "none";
  });
  const seen = (element) => element.checkVisibility({ visibilityProperty: true }) && !aside(element);
  const elements = () => [...document.body.querySelectorAll("*")].filter((one) => seen(one) && !one.closest("script"));
  // Each piece of text that is seen, with its element and the boxes of its lines.
  const texts = () => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || element.closest("script, svg > title") || !seen(element)) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      found.push({ element, text: node.data, boxes: [...range.getClientRects()].filter((box) => box.width > 0) });
    }
    return found;
  };
  // A table of all figures may be wider than the window: it scrolls, and its first column stays.
  const scrolls = (element) => getComputedStyle(element).overflowX === "auto" && element.querySelector(".scores");

  const wide = () => {
    const faults = [];
    const right = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > right) faults.push(`page: ${document.documentElement.scrollWidth}`);
    for (const one of elements()) {
      // Dots and numbers of an axis stand over its ends, within the margin that the axis has.
      if (one.closest("svg") || one.matches(".strip, .ticks, .frame, .track, .map") || scrolls(one)) continue;
      if (getComputedStyle(one).display !== "inline" && one.scrollWidth > one.clientWidth + 1) {
        if (one.clientWidth) faults.push(`${name(one)}: ${one.scrollWidth} in ${one.clientWidth}`);
      }
    }
    for (const { element, boxes } of texts()) {
      const frame = element.closest("svg") ?? element.closest(".scroll") ?? document.documentElement;
      if (scrolls(frame)) continue;
      const edge = frame.getBoundingClientRect();
      for (const box of boxes) {
        if (box.left < edge.left - 1 || box.right > edge.right + 1) faults.push(`${name(element)}: is cut`);
      }
    }
    return faults;
  };

  const overlapping = () => {
    const lines = texts().flatMap(({ element, boxes }) => boxes.map((box) => ({ element, box })));
    lines.sort((one, other) => one.box.top - other.box.top);
    const faults = [];
    lines.forEach(({ element, box }, place) => {
      for (let next = place + 1; next < lines.length && lines[next].box.top < box.bottom - 4; next++) {
        const other = lines[next];
        const shared = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        if (other.element !== element && shared > 2) faults.push(`${name(element)} | ${name(other.element)}`);
      }
    });
    return faults;
  };

  // Text that another element lies on, where the window is as high as the page.
  const covered = () => {
    const faults = [];
    for (const { element, boxes } of texts()) {
      const frame = (element.closest(".scroll") ?? document.documentElement).getBoundingClientRect();
      for (const box of element.closest("svg") ? [] : boxes) {
        if (box.right > frame.right || box.bottom > innerHeight) continue;
        for (const x of [box.left + 1, box.right - 1]) {
          const top = document.elementFromPoint(x, (box.top + box.bottom) / 2);
          if (!top?.contains(element) && !element.contains(top)) faults.push(`${name(element)} is covered`);
        }
      }
    }
    return faults;
  };

  const colour = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const over = (top, below) => top.rgb.map((value, i) => value * top.a + below[i] * (1 - top.a));
  const behind = (element) => {
    if (!element) return [255, 255, 255];
    const own = colour(getComputedStyle(element).backgroundColor);
    return own.a === 1 ? own.rgb : over(own, behind(element.parentElement));
  };
  const luminance = (rgb) => {
    const linear = rgb.map((value) => value / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  // By WCAG 2.2 AA: 4.5 for text (3 for large text), 3 for what a plot draws.
  const pale = () => {
    const faults = new Set();
    const judge = (element, text, least) => {
      const found = colour(text);
      for (let one = element; one; one = one.parentElement) found.a *= Number(getComputedStyle(one).opacity);
      const below = behind(element.matches(".dot") ? element.parentElement : element);
      const contrast = ratio(over(found, below), below);
      if (contrast < least) faults.add(`${name(element)}: ${contrast.toFixed(2)} of ${least}`);
    };
    for (const { element } of texts()) {
      const style = getComputedStyle(element);
      const size = Number.parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      judge(element, element.closest("svg") ? style.fill : style.color, large ? 3 : 4.5);
    }
    for (const dot of document.querySelectorAll(".dot, .line")) if (seen(dot)) judge(dot, getComputedStyle(dot).color, 3);
    for (const curve of document.querySelectorAll("[class^=curve] path:not(.band)")) judge(curve, getComputedStyle(curve).stroke, 3);
    return [...faults];
  };

  const REACHED = 'a[href], button, input, select, summary, [tabindex="0"]';
  const reachable = () => [...document.querySelectorAll(REACHED)].filter((one) => one.checkVisibility());
  // By WCAG 2.2 AA a finger needs 24 by 24, but for a link within a sentence.
  const small = () =>
    reachable()
      .filter((one) => !one.closest("p"))
      .map((one) => ({ one, box: (one.labels?.[0] ?? one).getBoundingClientRect() }))
      .filter(({ box }) => Math.min(box.width, box.height) < 24)
      .map(({ one, box }) => `${name(one)}: ${box.width.toFixed(0)} by ${box.height.toFixed(0)}`);
  const unfold = () => document.querySelectorAll("details").forEach((one) => (one.open = true));
  window.layout = { wide, overlapping, covered, pale, small, unfold };
})();
