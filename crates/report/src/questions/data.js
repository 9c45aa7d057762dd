// The data of the page of the questions: scripts that call `lingualign(name, value)`, each loaded when
// it is looked at, as a page that is opened as a file may load nothing else. Answers are columns of two
// letters each (columns.rs).
"use strict";
const questionData = (() => {
const NO_LEAD = 2047; // as in columns.rs

const waiting = new Map(); // name -> what to do with the value
const loaded = new Map(); // name -> promise of the value
window.lingualign = (name, value) => {
  const take = waiting.get(name);
  waiting.delete(name);
  if (take) take(value);
};

function load(name) {
  if (!loaded.has(name)) {
    loaded.set(name, new Promise((resolve, reject) => {
      waiting.set(name, resolve);
      const script = document.createElement("script");
      script.onerror = () => reject(new Error(`questions/${name}.js is missing`));
      script.onload = () => { // a file with another content
        if (waiting.delete(name)) reject(new Error(`questions/${name}.js is damaged`));
      };
      script.src = `questions/${name.split("/").map(encodeURIComponent).join("/")}.js`;
      document.head.append(script);
    }));
  }
  return loaded.get(name);
}

const DIGIT = new Uint8Array(128);
[..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"].forEach((letter, value) => {
  DIGIT[letter.charCodeAt(0)] = value;
});

function decode(text, into, at, less) {
  for (let i = 0; i < text.length; i += 2, at++) {
    into[at] = 64 * DIGIT[text.charCodeAt(i)] + DIGIT[text.charCodeAt(i + 1)] - less;
  }
}

async function loadTable(way) {
  const golds = await load(`${way.id}/gold`);
  const total = way.items.reduce((sum, [, list]) => sum + list.reduce((n, [, length]) => n + length, 0), 0);
  const made = { way, total, starts: [], language: new Uint16Array(total), item: new Uint32Array(total), gold: new Int16Array(total), models: new Map() };
  let row = 0;
  way.items.forEach(([code, list], at) => {
    made.starts.push(row);
    decode(golds[code], made.gold, row, 0);
    for (const [first, length] of list) {
      for (let n = 0; n < length; n++, row++) {
        made.item[row] = first + n;
        made.language[row] = at;
      }
    }
  });
  made.starts.push(row);
  // the same item in other languages, and the order of the items, by its place among all
  const all = Uint32Array.from(new Set(made.item)).sort();
  const places = new Map();
  all.forEach((item, place) => places.set(item, place));
  made.places = Uint32Array.from(made.item, (item) => places.get(item));
  made.items = all.length;
  return made;
}

async function loadModel(table, name) {
  if (!table.models.has(name)) {
    const answers = await load(`${table.way.id}/answers.${name}`);
    const model = { code: new Uint16Array(table.total), lead: new Int16Array(table.total) };
    table.way.items.forEach(([code], at) => {
      const [chosen, leads] = answers[code];
      decode(chosen, model.code, table.starts[at], 0);
      decode(leads, model.lead, table.starts[at], NO_LEAD);
    });
    table.models.set(name, model);
  }
  return table.models.get(name);
}

const isRight = (code) => code > 0 && code % 2 === 0;
const labelOf = (code) => (code - 1) >> 1;

// Whether each item, by its place, has several answers over the languages.
function findDiffering(table, model) {
  if (!model.differing) {
    const first = new Int32Array(table.items).fill(-1);
    model.differing = new Uint8Array(table.items);
    for (let row = 0; row < table.total; row++) {
      if (model.code[row] === 0) continue;
      const place = table.places[row], label = labelOf(model.code[row]);
      if (first[place] < 0) first[place] = label;
      else if (first[place] !== label) model.differing[place] = 1;
    }
  }
  return model.differing;
}

return { NO_LEAD, load, isLoaded: (name) => loaded.has(name), loadTable, loadModel, isRight, labelOf, findDiffering };
})();
