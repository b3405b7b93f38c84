/* Looks for words, or their beginnings, in the index that search-index.js holds, packed. All words must stand in one part of a page. */
"use strict";

const MOST = 60;  // results that are shown
const BEFORE = 60, EXCERPT = 220;  // characters
const form = document.getElementById("find");
const field = document.getElementById("words");
const count = document.getElementById("count");
const results = document.getElementById("results");
let searchIndex, lower;

/* Base 85 (RFC 1924's letters): five of them are four bytes. The last group may be shorter. */
function bytesOf(text) {
  const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
  const values = new Map([...letters].map((letter, value) => [letter, value]));
  const bytes = new Uint8Array(Math.floor(text.length * 4 / 5));
  for (let at = 0, end = 0; at < text.length; at += 5) {
    const group = text.slice(at, at + 5);
    const number = [...group.padEnd(5, "~")].reduce((sum, letter) => sum * 85 + values.get(letter), 0);
    for (let i = 1; i < group.length; i++) bytes[end++] = Math.min(number, 2 ** 32 - 1) / 2 ** (32 - 8 * i);
  }
  return bytes;
}

async function unpack() {
  const text = new Blob([bytesOf(packedIndex)]).stream().pipeThrough(new DecompressionStream("deflate"));
  searchIndex = await new Response(text).json();
  lower = searchIndex.parts.map(([page, , heading, text]) =>
    [searchIndex.pages[page][1].toLowerCase(), heading.toLowerCase(), text.toLowerCase()]);
}

/* Where a word that begins with `word` stands in `text`, from `start` on; -1: nowhere. */
function find(text, word, start = 0) {
  for (let at = text.indexOf(word, start); at >= 0; at = text.indexOf(word, at + 1)) {
    if (at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1]) || !/^[\p{L}\p{N}]/u.test(word)) return at;
  }
  return -1;
}

/* 0: not all words are there. A title counts more than a heading, a heading more than text, a whole word more. */
function score([title, heading, text], words) {
  let sum = 0;
  for (const word of words) {
    const places = [find(title, word), find(heading, word), find(text, word)];
    if (places.every((place) => place < 0)) return 0;
    sum += (places[0] >= 0 ? 4 : 0) + (places[1] >= 0 ? 8 : 0) + (places[2] >= 0 ? 1 : 0);
    if (heading === word) sum += 20;
    if (places[2] >= 0 && !/[\p{L}\p{N}_]/u.test(text[places[2] + word.length] ?? " ")) sum += 2;
  }
  return sum;
}

function excerpt(text, words) {
  const small = text.toLowerCase();
  const first = Math.max(0, Math.min(...words.map((word) => find(small, word)).filter((place) => place >= 0)));
  const from = first > BEFORE && Number.isFinite(first) ? small.indexOf(" ", first - BEFORE) + 1 : 0;
  const part = text.slice(from, from + EXCERPT), smallPart = part.toLowerCase();
  const paragraph = document.createElement("p");
  paragraph.append(from > 0 ? "… " : "");
  let done = 0;
  for (;;) {
    const next = words.map((word) => [find(smallPart, word, done), word.length]).filter(([place]) => place >= 0)
      .sort((a, b) => a[0] - b[0])[0];
    if (!next) break;
    const mark = document.createElement("mark");
    mark.textContent = part.slice(next[0], next[0] + next[1]);
    paragraph.append(part.slice(done, next[0]), mark);
    done = next[0] + next[1];
  }
  paragraph.append(part.slice(done), from + EXCERPT < text.length ? " …" : "");
  return paragraph;
}

function result(number, words) {
  const [page, anchor, heading, text] = searchIndex.parts[number];
  const [path, title] = searchIndex.pages[page];
  const item = document.createElement("li"), link = document.createElement("a");
  link.href = "../" + path + (anchor ? "#" + encodeURIComponent(anchor) : "");
  link.textContent = heading && heading.toLowerCase() !== title.toLowerCase() ? `${title}: ${heading}` : title;
  item.append(link, excerpt(text, words));
  return item;
}

function search() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.length === 0 ? [] : lower.map((part, number) => [score(part, words), number])
    .filter(([points]) => points > 0).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  results.replaceChildren(...found.slice(0, MOST).map(([, number]) => result(number, words)));
  const shown = found.length > MOST ? `; the first ${MOST} are shown` : "";
  count.textContent = words.length === 0 ? "" : found.length === 0 ? "Nothing found." :
    `${found.length} ${found.length === 1 ? "place" : "places"} found${shown}.`;
}

form.addEventListener("submit", (event) => event.preventDefault());
field.addEventListener("input", search);
unpack().then(() => {
  form.hidden = false;
  field.value = new URLSearchParams(location.search).get("q") ?? "";
  field.focus();
  search();
});
