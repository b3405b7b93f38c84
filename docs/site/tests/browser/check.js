/* node check.js CHROMIUM PLAN: looks at pages in a browser and prints what is wrong with them as JSON:
 *   {"faults": [[check, page, words], …], "pdf": {page: file}, "seen": {check: number of pages}}
 * PLAN is a JSON file: {"root": directory, "all": [pages], "sample": [pages], "print": [pages], "search": page or null,
 * "chart": page or null, "out": directory for PDFs}. What costs little is looked at on all pages, the rest on the sample. */
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { Browser } = require("./browser.js");
const look = require("./in_page.js");

const PHONE = 360, DESK = 1000, PAPER = 718;  // pixels; A4 without margins, at 96 a inch
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const plan = JSON.parse(fs.readFileSync(process.argv[3], "utf8"));
const found = { faults: [], pdf: {}, seen: {} };

function note(check, page, faults) {
  found.seen[check] = (found.seen[check] ?? 0) + 1;
  for (const words of faults) found.faults.push([check, page, words]);
}

const at = (page) => pathToFileURL(path.join(plan.root, page)).href;

/* A page without scripts is the same where scripts are not allowed: it need not be opened twice. */
async function openAll(browser) {
  const scripted = [];
  await browser.size(PHONE);
  for (const page of plan.all) {
    browser.events.length = 0;
    await browser.open(at(page));
    note("width", page, await browser.run(look.tooWide));
    if (await browser.run(() => document.scripts.length)) scripted.push(page);
    else note("without scripts", page, await browser.run(look.hiddenTexts));
    for (const check of ["console", "network"]) {
      note(check, page, browser.events.filter(([kind]) => kind === check).map(([, words]) => words));
    }
  }
  await browser.scripts(false);
  for (const page of scripted) {
    await browser.open(at(page));
    note("without scripts", page, await browser.run(look.hiddenTexts));
  }
  await browser.scripts(true);
}

async function axeInBoth(browser) {
  for (const [scheme, width] of [["light", DESK], ["dark", PHONE]]) {
    await browser.media(scheme);
    await browser.size(width);
    for (const page of plan.sample) {
      await browser.open(at(page));
      await browser.run(axe);
      note(`axe, ${scheme}`, page, await browser.run(look.barriers));
    }
  }
  await browser.media("light");
}

async function byKeyboard(browser) {
  await browser.size(DESK);
  for (const page of plan.sample) {
    await browser.open(at(page));
    await unpacked(browser);
    const wanted = await browser.run(look.watchFocus);
    for (let pressed = 0; pressed < wanted + 10; pressed++) await browser.press("Tab");
    note("keyboard", page, await browser.run(look.focusFaults));
  }
}

/* The page of the search changes when its index is there. */
const unpacked = (browser) => browser.run(async () => {
  while (document.getElementById("find")?.hidden) await new Promise((done) => setTimeout(done, 10));
});

/* A search is asked by keyboard alone: from another page, by a word's beginning, in Korean. */
async function searching(browser) {
  const faults = [];
  const results = () => browser.run(() => [...document.querySelectorAll("#results a")].map((each) => each.href));
  const ask = async (words) => {
    await browser.run(() => { const field = document.getElementById("words"); field.focus(); field.select(); });
    await browser.type(words);
    return results();
  };
  await browser.open(at("index.html"));
  for (let pressed = 0; pressed < 40 && !await browser.run(() => document.activeElement.name === "q"); pressed++) {
    await browser.press("Tab");
  }
  await browser.type("EPOLLRDHUP");
  const loaded = browser.client.Page.loadEventFired();
  await browser.press("Enter");
  await loaded;
  await unpacked(browser);
  if (!(await results()).length) faults.push("EPOLLRDHUP is not found from the field on the first page");
  await browser.open(at(plan.search));
  await unpacked(browser);
  for (const words of ["EPOLLRDHUP", "epollrdh", "역압", "epoll wait"]) {
    if (!(await ask(words)).length) faults.push(`${words} is not found`);
  }
  if ((await ask("zyzzyva")).length) faults.push("a word that is nowhere is found");
  await ask("EPOLLRDHUP");
  for (let pressed = 0; pressed < 3 && !await browser.run(() => document.activeElement.closest("#results")); pressed++) {
    await browser.press("Tab");
  }
  const arrived = browser.client.Page.loadEventFired();
  await browser.press("Enter");
  await arrived;
  if (!await browser.run(() => document.body.textContent.includes("EPOLLRDHUP"))) faults.push("the first result has no EPOLLRDHUP");
  note("search", plan.search, faults);
}

/* A chart's scale, series and values, by keyboard. */
async function charting(browser) {
  const faults = [];
  await browser.open(at(plan.chart));
  const shown = (what) => browser.run((each) => document.querySelector(each).checkVisibility(), what);
  await browser.run(() => document.querySelector(".chart input[type=radio]").focus());
  await browser.press("ArrowRight");
  if (await shown(".plot-1") || !await shown(".plot-2")) faults.push("the arrow does not choose the other scale");
  await browser.run(() => document.querySelector(".chart input[type=checkbox]").focus());
  await browser.press(" ");
  const display = await browser.run(() => getComputedStyle(document.querySelector(".plot-2 .series-1")).display);
  if (display !== "none") faults.push("the series is still shown");
  await browser.run(() => document.querySelector(".chart input[type=range]").focus());
  await browser.press("ArrowRight");
  const values = await browser.run(() => document.querySelector(".chart output").textContent);
  if (!/:.*:/.test(values)) faults.push(`the slider shows no values: ${values}`);
  note("chart", plan.chart, faults);
}

async function onPaper(browser) {
  for (const page of plan.print) {
    await browser.open(at(page));
    await browser.media("light", "print");
    await browser.size(PAPER);
    note("paper", page, await browser.run(look.cutOnPaper));
    found.pdf[page] = path.join(plan.out, `${page.replaceAll("/", "-")}.pdf`);
    await browser.print(found.pdf[page]);
    await browser.media("light");
  }
}

async function main() {
  const browser = await Browser.start(process.argv[2]);
  try {
    await browser.media("light");
    for (const part of [openAll, axeInBoth, byKeyboard, searching, charting, onPaper]) {
      const began = process.hrtime.bigint();
      if (part === searching ? plan.search : part === charting ? plan.chart : true) await part(browser);
      if (process.env.TIMES) console.error(part.name, Number(process.hrtime.bigint() - began) / 1e9);
    }
  } finally {
    await browser.stop();
  }
  process.stdout.write(JSON.stringify(found));
}

main().catch((error) => {
  console.error(error.stack);
  process.exit(1);
});
