/* What is looked at inside a page. Each function runs there, and returns a list of faults or a value. */
"use strict";

/* No sideways scroll of the page. Names the first element that is too wide. */
function tooWide() {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const wide = [...document.querySelectorAll("body *")].find((each) => {
    const inBox = each.parentElement.closest(".scroll, pre, [style*=overflow]");
    return !inBox && each.getBoundingClientRect().right > width + 1;
  });
  return [`${document.documentElement.scrollWidth} pixels wide, because of ${wide ? wide.outerHTML.slice(0, 120) : "?"}`];
}

/* Texts of the page that nobody can come to see. What a closed <details> holds can be opened; what a control of the style
   sheet hides (.plot) can be chosen; [data-view] is a choice for wide screens; [data-needs-script] is a control that only a script serves. */
function hiddenTexts() {
  const shown = new Set(), hidden = [];
  for (const details of document.querySelectorAll("details")) details.open = true;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.data.replace(/\s+/g, " ").trim();
    const place = node.parentElement;
    if (!text || place.closest("script, style, noscript, template, .plot, [data-view], [data-needs-script]")
      || place.matches("svg title, svg desc")) continue;
    if (place.checkVisibility({ visibilityProperty: true })) shown.add(text);
    else hidden.push(text);
  }
  return hidden.filter((text) => !shown.has(text)).slice(0, 3).map((text) => `hidden: ${text.slice(0, 80)}`);
}

/* Numbers all elements that a keyboard must reach, and notes which of them get the focus, and whether that is seen. */
function watchFocus() {
  const kinds = "a[href], button, input, select, textarea, summary, [tabindex]";
  const groups = new Set();
  const wanted = [...document.querySelectorAll(kinds)].filter((each) => {
    if (each.disabled || each.localName === "main" || !each.checkVisibility({ visibilityProperty: true })) return false;
    if (each.type !== "radio") return true;
    const first = !groups.has(each.name);  // the arrows lead to the others
    groups.add(each.name);
    return first;
  });
  window.focusFound = { wanted, reached: new Set(), unseen: new Set() };
  document.addEventListener("focusin", ({ target }) => {
    const style = getComputedStyle(target);
    const radio = target.type === "radio" && wanted.find((each) => each.name === target.name);
    window.focusFound.reached.add(radio || target);
    if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) === 0) window.focusFound.unseen.add(target);
  });
  document.activeElement?.blur();
  window.scrollTo(0, 0);
  return wanted.length;
}

function focusFaults() {
  const { wanted, reached, unseen } = window.focusFound;
  const name = (each) => each.outerHTML.slice(0, 100);
  return [...wanted.filter((each) => !reached.has(each)).map((each) => `not reached by Tab: ${name(each)}`),
    ...[...unseen].map((each) => `the focus is not seen: ${name(each)}`)].slice(0, 5);
}

/* What axe finds. */
async function barriers() {
  const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
  return violations.flatMap(({ id, help, nodes }) => nodes.slice(0, 2).map(({ html, failureSummary }) =>
    `${id}: ${help}: ${html.slice(0, 120)} ${(failureSummary ?? "").split("\n")[1] ?? ""}`.trim()));
}

/* On paper nothing scrolls: what is beyond the edge, or in a box that cuts it, cannot be read. */
function cutOnPaper() {
  const width = document.documentElement.clientWidth;
  return [...document.querySelectorAll("main *")].filter((each) => {
    if (!each.checkVisibility() || each.closest("svg")) return false;
    const cut = getComputedStyle(each).overflowX !== "visible" && each.scrollWidth > each.clientWidth + 1;
    return cut || each.getBoundingClientRect().right > width + 1;
  }).slice(0, 2).map((each) => `cut on paper: ${each.outerHTML.slice(0, 100)}`);
}

module.exports = { tooWide, hiddenTexts, watchFocus, focusFaults, barriers, cutOnPaper };
