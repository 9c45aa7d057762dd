// The page of the questions. Every text of the data is put in as text, never as markup. What is shown
// is in the address.
"use strict";
(() => {
const { NO_LEAD, load, isLoaded, loadTable, loadModel, isRight, labelOf, findDiffering } = questionData;
const PER_PAGE = 50;
const FEW = 24; // languages whose texts are loaded without waiting for a look
const AT_ONCE = 6; // files of texts that are loaded together for a search
const STATE = ["way", "before", "after", "language", "show", "gold", "chosen", "differs", "search", "sort", "page", "item", "in"];

let index;
let table; // the rows of the chosen way: each a question in a language

function hasTexts(code) {
  return Boolean(index.texts?.[table.way.task]?.includes(code));
}

async function loadTexts(code) {
  const texts = await load(`texts/${table.way.task}.${code}`);
  texts.other ??= {};
  const id = table.way.id;
  texts.other[id] ??= new Set(texts.ways[id]?.other);
  return texts;
}

// The fields of a question; none where they are not kept, or are not what was asked.
function fieldsOf(texts, item) {
  return texts && !texts.other[table.way.id]?.has(item) ? texts.items[item] : undefined;
}

// --- the state, which is the address ---

const state = {};

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  for (const key of STATE) state[key] = given.get(key) ?? "";
}

function writeAddress() {
  const given = new URLSearchParams();
  for (const key of STATE) if (state[key]) given.set(key, state[key]);
  const address = `#${given}`;
  if (address !== location.hash && !(address === "#" && location.hash === "")) {
    history.replaceState(null, "", address);
  }
}

// --- elements ---

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// Characters that would steer what shows them, written out.
function shown(text) {
  const steering = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;
  return text.replace(steering, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

const nameOf = (code) => index.languages[code] ?? code;

// A code without a name need not be one that readers of screens know.
function speak(made, code) {
  if (nameOf(code) !== code) made.lang = code.replace("_", "-");
  return made;
}

function textIn(code, text, kind = "text") {
  return speak(element("div", { className: kind, dir: "auto", textContent: shown(text) }), code);
}

const points = (lead) => {
  const value = (100 * lead / NO_LEAD).toFixed(1);
  return lead > 0 ? `+${value}` : value.replace("-", "−");
};

function answerIn(model, row) {
  const code = model.code[row];
  if (code === 0) return element("span", { className: "muted", textContent: "not asked" });
  const right = isRight(code);
  return element("span", { className: right ? "answer right" : "answer wrong" },
    element("span", { className: "mark", textContent: right ? "✓" : "✗", ariaHidden: "true" }),
    shown(table.way.labels[labelOf(code)]),
    element("span", { className: "spoken", textContent: right ? ", right" : ", wrong" }));
}

const form = document.querySelector("#choice");
const count = document.querySelector("#count");
const remark = document.querySelector("#remark");
const list = document.querySelector("#list");
const body = document.querySelector("#rows tbody");
const dialog = document.querySelector("#question");
const pages = document.querySelector("#pages");

function fillSelect(name, options) {
  const select = form.elements[name];
  select.replaceChildren(...options.map(([value, text]) => element("option", { value, textContent: shown(text) })));
  const wanted = state[name];
  if (options.some(([value]) => value === wanted)) select.value = wanted;
  else state[name] = select.value = options[0]?.[0] ?? "";
}

function fillForm(way) {
  fillSelect("way", index.ways.map((one) => [one.id, one.title]));
  const models = way.models;
  if (!models.some(([name]) => name === state.after)) state.after = (models[1] ?? models[0])[0];
  fillSelect("before", models);
  fillSelect("after", models);
  fillSelect("language", [["", "all"], ...way.items.map(([code]) => [code, `${nameOf(code)} (${code})`])]);
  const labels = way.labels.map((label) => [label, label]);
  fillSelect("gold", [["", "any"], ...labels]);
  fillSelect("chosen", [["", "any"], ...labels]);
  for (const name of ["show", "sort"]) {
    form.elements[name].value = state[name];
    if (form.elements[name].selectedIndex < 0) form.elements[name].value = state[name] = "";
  }
  form.elements.search.value = state.search;
  form.elements.differs.checked = state.differs !== "";
}

// --- which questions, in which order ---

let found = new Uint32Array(0); // the rows that are shown, in their order

const SHOWS = {
  gained: (before, after) => !isRight(before) && isRight(after),
  lost: (before, after) => isRight(before) && !isRight(after),
  changed: (before, after) => labelOf(before) !== labelOf(after),
  right: (_, after) => isRight(after),
  wrong: (_, after) => !isRight(after),
};

function filter(before, after) {
  const language = table.way.items.findIndex(([code]) => code === state.language);
  const [start, end] = language < 0 ? [0, table.total] : [table.starts[language], table.starts[language + 1]];
  const gold = table.way.labels.indexOf(state.gold), chosen = table.way.labels.indexOf(state.chosen);
  const shows = SHOWS[state.show];
  const differing = state.differs ? findDiffering(table, after) : null;
  const rows = new Uint32Array(end - start);
  let kept = 0;
  for (let row = start; row < end; row++) {
    const a = before.code[row], b = after.code[row];
    if (shows && (a === 0 || b === 0 || !shows(a, b))) continue;
    if (gold >= 0 && table.gold[row] !== gold) continue;
    if (chosen >= 0 && (b === 0 || labelOf(b) !== chosen)) continue;
    if (differing && !differing[table.places[row]]) continue;
    rows[kept++] = row;
  }
  return rows.subarray(0, kept);
}

// Rows by a small whole number from 0, equal ones in their order.
function sortBy(rows, most, key) {
  const ends = new Uint32Array(most + 2);
  for (const row of rows) ends[key(row) + 1]++;
  for (let at = 1; at < ends.length; at++) ends[at] += ends[at - 1];
  const sorted = new Uint32Array(rows.length);
  for (const row of rows) sorted[ends[key(row)]++] = row;
  return sorted;
}

function sort(rows, before, after) {
  const [, down, by] = /^(-?)(.*)$/.exec(state.sort);
  if (by === "item") return sortBy(rows, table.items, (row) => table.places[row]);
  const leads = {
    before: (row) => before.lead[row],
    after: (row) => after.lead[row],
    change: (row) => after.lead[row] - before.lead[row],
  };
  const lead = leads[by];
  if (!lead) return rows;
  const most = 2 * NO_LEAD;
  return sortBy(rows, 2 * most, (row) => most + (down ? -lead(row) : lead(row)));
}

// The rows whose texts contain what is searched; `null` when something else is wanted meanwhile.
async function search(rows, isOld) {
  const wanted = state.search.normalize("NFC").toLowerCase();
  const codes = [...new Set(Array.from(rows, (row) => table.language[row]))].map((at) => table.way.items[at][0]);
  const there = codes.filter(hasTexts);
  const texts = new Map();
  for (let at = 0; at < there.length; at += AT_ONCE) {
    if (there.length > AT_ONCE && !isLoaded(`texts/${table.way.task}.${there[at]}`)) {
      count.textContent = `Loading texts: ${at} of ${there.length} languages`;
    }
    await Promise.all(there.slice(at, at + AT_ONCE).map(async (code) => texts.set(code, await loadTexts(code))));
    if (isOld()) return null;
  }
  return rows.filter((row) => {
    const of = texts.get(table.way.items[table.language[row]][0]);
    if (!of) return false;
    of.plain ??= {};
    const item = table.item[row];
    of.plain[item] ??= (fieldsOf(of, item) ?? []).join("\n").normalize("NFC").toLowerCase();
    return of.plain[item].includes(wanted);
  });
}

let turn = 0;

async function show() {
  const mine = ++turn;
  const isOld = () => mine !== turn;
  const way = index.ways.find((one) => one.id === state.way) ?? index.ways[0];
  if (table?.way !== way) {
    const made = await loadTable(way);
    if (isOld()) return;
    table = made;
  }
  fillForm(way);
  writeAddress();
  const start = performance.now();
  const missing = [state.before, state.after].some((name) => !table.models.has(name));
  const before = missing ? await loadModel(table, state.before) : table.models.get(state.before);
  const after = missing ? await loadModel(table, state.after) : table.models.get(state.after);
  if (isOld()) return;
  let rows = filter(before, after);
  if (state.search) {
    rows = await search(rows, isOld);
    if (rows === null) return;
  }
  found = sort(rows, before, after);
  showPage(before, after);
  document.documentElement.dataset.milliseconds = Math.round(performance.now() - start);
  await showQuestion();
  document.documentElement.dataset.ready = Math.round(performance.now());
}

function showPage(before, after) {
  const last = Math.max(1, Math.ceil(found.length / PER_PAGE));
  const page = Math.min(last, Math.max(1, Number(state.page) || 1));
  state.page = page > 1 ? String(page) : "";
  writeAddress();
  const rows = found.subarray((page - 1) * PER_PAGE, page * PER_PAGE);
  const within = table.way.items.findIndex(([code]) => code === state.language);
  const all = within < 0 ? table.total : table.starts[within + 1] - table.starts[within];
  const number = (n) => n.toLocaleString("en");
  count.textContent = found.length === all ? `${number(all)} questions` : `${number(found.length)} of ${number(all)} questions`;
  list.classList.toggle("one-model", state.before === state.after);
  body.replaceChildren(...Array.from(rows, (row) => rowOf(row, before, after)));
  list.hidden = false;
  pages.hidden = last === 1;
  pages.querySelector("span").textContent = `Page ${number(page)} of ${number(last)}`;
  for (const button of pages.querySelectorAll("button")) {
    const goesBack = ["first", "previous"].includes(button.dataset.to);
    button.disabled = page === (goesBack ? 1 : last);
  }
  describeTexts(rows);
}

function rowOf(row, before, after) {
  const code = table.way.items[table.language[row]][0], item = table.item[row];
  const button = element("button", { type: "button", textContent: item, ariaLabel: `Open item ${item}, ${nameOf(code)}` });
  button.addEventListener("click", () => open(item, code).catch(fail));
  const question = element("td", {});
  showText(question, code, item, "text short").catch(fail);
  return element("tr", {},
    element("th", { scope: "row" }, button),
    element("td", { textContent: nameOf(code) }),
    question,
    element("td", { textContent: shown(table.way.labels[table.gold[row]]) }),
    element("td", { className: "of-before" }, answerIn(before, row)),
    element("td", {}, answerIn(after, row)),
    element("td", { className: "n of-before", textContent: points(before.lead[row]) }),
    element("td", { className: "n", textContent: points(after.lead[row]) }));
}

// Puts the question's fields into a cell once they are loaded.
async function showText(cell, code, item, kind) {
  if (!hasTexts(code)) return;
  const fields = fieldsOf(await loadTexts(code), item);
  if (fields) cell.replaceChildren(textIn(code, fields.join("\n"), kind));
  else cell.replaceChildren(element("span", { className: "muted", textContent: "not the text that was asked" }));
}

function describeTexts(rows) {
  const codes = Array.from(rows, (row) => table.way.items[table.language[row]][0]);
  let text = "";
  if (!index.texts) text = "The recipe leaves the texts out of this page (report.texts = false).";
  else if (codes.some((code) => !hasTexts(code))) {
    text = "The run did not keep the texts of these questions. Run the recipe again with this version to add them; no model is asked again.";
  }
  remark.textContent = text;
  remark.hidden = text === "";
}

// --- one question ---

function open(item, code) {
  state.item = String(item);
  state.in = code;
  writeAddress();
  return showQuestion();
}

function closeQuestion() {
  state.item = state.in = "";
  writeAddress();
  if (dialog.open) dialog.close();
}

function rowAt(item, code) {
  const at = table.way.items.findIndex(([one]) => one === code);
  if (at < 0) return -1;
  const within = table.item.subarray(table.starts[at], table.starts[at + 1]).indexOf(item);
  return within < 0 ? -1 : table.starts[at] + within;
}

async function showQuestion() {
  if (state.item === "") {
    if (dialog.open) dialog.close();
    return;
  }
  const item = Number(state.item), code = state.in;
  const row = rowAt(item, code);
  if (row < 0) return closeQuestion();
  const [scores, texts] = await Promise.all([load(`${table.way.id}/scores.${code}`), hasTexts(code) ? loadTexts(code) : undefined]);
  if (state.item !== String(item) || state.in !== code) return;
  const title = document.querySelector("#question-title");
  title.textContent = `Item ${item}, ${nameOf(code)}`;
  const place = found.indexOf(row);
  for (const button of dialog.querySelectorAll(".bar button")) {
    if (button.dataset.to === "previous") button.disabled = place <= 0;
    if (button.dataset.to === "next") button.disabled = place < 0 || place + 1 >= found.length;
  }
  document.querySelector("#question-body").replaceChildren(
    ...questionParts(row, code, item, texts),
    scoreTable(row, code, scores, texts),
    ...promptParts(code, item, texts),
    ...languageParts(row));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  title.focus();
}

function questionParts(row, code, item, texts) {
  const fields = fieldsOf(texts, item);
  const parts = element("dl", {});
  const add = (name, value) => parts.append(element("dt", { textContent: name }), element("dd", {}, value));
  if (fields) fields.forEach((field, at) => add(fields.length > 1 ? `Question, part ${at + 1}` : "Question", textIn(code, field)));
  else add("Question", texts ? "The text that the run kept is not the one that was asked." : "Its text is not part of this page.");
  add("Right label", shown(table.way.labels[table.gold[row]]));
  return [parts];
}

function scoreTable(row, code, scores, texts) {
  const { labels, models, id } = table.way;
  const at = row - table.starts[table.language[row]];
  const words = texts?.choices?.[table.item[row]] ?? texts?.ways[id]?.words ?? {};
  const head = labels.map((label) => {
    const cell = element("th", { scope: "col", className: "n", textContent: shown(label) });
    if (words[label] && words[label] !== label) cell.append(textIn(code, words[label], "text muted"));
    return cell;
  });
  const lines = models.map(([name, title]) => {
    const own = scores[name].slice(at * labels.length, (at + 1) * labels.length);
    const answer = element("td", { textContent: "…" });
    loadModel(table, name).then((model) => answer.replaceChildren(answerIn(model, row))).catch(fail);
    return element("tr", { className: [state.before, state.after].includes(name) ? "chosen" : "" },
      element("th", { scope: "row", textContent: shown(title) }),
      answer,
      ...own.map((score) => element("td", { className: "n", textContent: score === null ? "–" : Number(score.toPrecision(4)) })));
  });
  const whole = element("table", {},
    element("caption", { textContent: "The score of each label by each model; bold: before and after." }),
    element("thead", {}, element("tr", {}, element("th", { scope: "col", textContent: "model" }), element("th", { scope: "col", textContent: "answer" }), ...head)),
    element("tbody", {}, ...lines));
  return element("div", { className: "scroll", tabIndex: 0, role: "region", ariaLabel: "Scores" }, whole);
}

function promptParts(code, item, texts) {
  const way = texts?.ways[table.way.id];
  const fields = fieldsOf(texts, item);
  if (!way || !fields) return [];
  const prompt = way.whole[item] ?? way.frame.map((text, at) => text + (fields[at] ?? "")).join("");
  const unchecked = way.unchecked ? " (the answers do not say which prompt they were made from, so this one is not checked)" : "";
  const pre = speak(element("pre", { dir: "auto", tabIndex: 0, textContent: shown(prompt) }), code);
  return [element("details", {}, element("summary", { textContent: `The whole prompt with its exemplars${unchecked}` }), pre)];
}

// The same item in all languages. Where they are many, texts are loaded for the lines that are
// looked at.
function languageParts(row) {
  const [before, after] = [state.before, state.after].map((name) => table.models.get(name));
  const place = table.places[row];
  const showLine = (line) => showText(line.cells[1], line.dataset.code, table.item[row], "text").catch(fail);
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      watcher.unobserve(entry.target);
      showLine(entry.target);
    }
  }, { rootMargin: "600px" });
  const lines = [];
  for (let other = 0; other < table.total; other++) {
    if (table.places[other] !== place || other === row) continue;
    const code = table.way.items[table.language[other]][0];
    const button = element("button", { type: "button", textContent: nameOf(code) });
    button.addEventListener("click", () => open(table.item[row], code).catch(fail));
    const line = element("tr", {},
      element("th", { scope: "row" }, button),
      element("td", {}),
      element("td", { className: "of-before" }, answerIn(before, other)),
      element("td", {}, answerIn(after, other)),
      element("td", { className: "n", textContent: points(after.lead[other]) }));
    line.dataset.code = code;
    lines.push(line);
  }
  lines.forEach((line) => (lines.length > FEW ? watcher.observe(line) : showLine(line)));
  if (lines.length === 0) return [];
  const heads = [["language", ""], ["question", ""], ["before", "of-before"], ["after", ""], ["lead after", "n"]];
  const oneModel = state.before === state.after ? " one-model" : "";
  return [
    element("h3", { textContent: "The same item in other languages" }),
    element("div", { className: `scroll of-language${oneModel}`, tabIndex: 0, role: "region", ariaLabel: "The same item in other languages" },
      element("table", {},
        element("caption", { textContent: `Item ${table.item[row]} of each language's file.` }),
        element("thead", {}, element("tr", {}, ...heads.map(([textContent, className]) => element("th", { scope: "col", textContent, className })))),
        element("tbody", {}, ...lines))),
  ];
}

// --- what the reader does ---

function fail(problem) {
  count.textContent = `${problem.message ?? problem}. The folder questions/ belongs beside this page.`;
}

const again = () => show().catch(fail);

let pause;
form.addEventListener("input", (event) => {
  const { name, type, checked, value } = event.target;
  state[name] = type === "checkbox" ? (checked ? "1" : "") : value;
  state.page = "";
  clearTimeout(pause);
  if (name === "search") pause = setTimeout(again, 200);
  else again();
});
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", (event) => {
  event.preventDefault();
  for (const key of STATE) if (!["way", "before", "after"].includes(key)) state[key] = "";
  again();
});

pages.addEventListener("click", (event) => {
  const last = Math.ceil(found.length / PER_PAGE), page = Number(state.page) || 1;
  const to = { first: 1, previous: page - 1, next: page + 1, last }[event.target.dataset.to];
  if (!to) return;
  state.page = String(to);
  showPage(table.models.get(state.before), table.models.get(state.after));
  list.scrollIntoView();
});

function step(by) {
  const row = found[found.indexOf(rowAt(Number(state.item), state.in)) + by];
  if (row !== undefined) open(table.item[row], table.way.items[table.language[row]][0]).catch(fail);
}

dialog.addEventListener("click", (event) => {
  const to = event.target.dataset?.to;
  if (to === "close" || event.target === dialog) closeQuestion();
  else if (to) step(to === "next" ? 1 : -1);
});
dialog.addEventListener("close", closeQuestion);
dialog.addEventListener("keydown", (event) => {
  const inScroll = event.target.closest(".scroll, pre");
  if (event.altKey || event.ctrlKey || event.metaKey || inScroll) return;
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
});
body.addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const line = event.target.closest("tr");
  if (!by || !line) return;
  const next = by > 0 ? line.nextElementSibling : line.previousElementSibling;
  if (next) next.querySelector("button").focus();
  event.preventDefault();
});
window.addEventListener("hashchange", () => {
  readAddress();
  again();
});

async function begin() {
  readAddress();
  index = await load("index");
  if (index.ways.length === 0) {
    count.textContent = "The run has no answers yet.";
    return;
  }
  form.hidden = false;
  await show();
}
begin().catch(fail);
})();
