// Draws a state of a machine, beside the one before or after it. Text is only ever set as text.

const CLASSES = { "free": "is-free", "in use": "is-used", "never free": "is-fixed", "missing": "is-missing" };
const FAMILIES = { range: ["Buddy tree", "Runs of process", "Runs of the"], page: ["What is mapped"], process: ["Top-level"],
  pml4: ["Top-level"], heap: ["Heap"], kernel_pages: ["Buddy tree", "Runs of the", "What is mapped"] };
const GLYPHS = { "free": "", "in use": "", "never free": "", "missing": "×" };

const make = (tag, properties = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = value;
    else if (name === "text") made.textContent = value;
    else if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter(Boolean));
  return made;
};
const since = (each) => (each.line ? ` by line ${each.line}` : "");
const counted = (count, thing) => `${count.toLocaleString("en")} ${thing}${count === 1 ? "" : "s"}`;

const STATES = { f: "free", u: "in use", n: "never free", x: "missing" };
const framesOf = (word) => [...word.states].map((letter, place) => {
  const frame = word.first + place;
  return { frame, state: STATES[letter], line: word.line[frame], uses: word.uses[frame] };
});

const nameOf = (table) => table.name ?? `process ${table.process}`;

// What there is to compare in a state: by a key, what it is called and what is said of it.
const things = (state) => {
  const found = new Map();
  const put = (key, name, says) => found.set(key, { name, says });
  for (const word of state.frames?.words ?? []) {
    for (const each of framesOf(word)) {
      put(`frame ${each.frame}`, `frame ${each.frame}`,
        each.state + since(each) + (each.uses ? `, shown by ${counted(each.uses, "use")}` : ""));
    }
  }
  for (const range of state.ranges ?? []) {
    for (const each of range.pieces) {
      put(`piece ${range.process} ${each.page} ${each.pages}`,
        `${counted(each.pages, "page")} at ${each.address} of process ${range.process}`, each.state + since(each));
    }
  }
  for (const table of state.tables ?? []) {
    if (table.others) continue;
    put(`process ${table.process}`, nameOf(table), "lives");
    for (const [index, value] of Object.entries(table.entries)) {
      put(`entry ${table.process} ${index}`, `entry ${index} of ${nameOf(table)}`, value);
    }
  }
  for (const each of state.mapped ?? []) {
    put(`mapped ${each.process} ${each.page}`, `page ${each.page} of process ${each.process}`,
      each.shows === null ? "not mapped" : each.shows + since(each));
  }
  for (const each of state.heap ?? []) {
    put(`block ${each.address}`, `heap block at ${each.address}`, counted(each.bytes, "byte") + since(each));
  }
  return found;
};

const compare = (before, after, then) => {
  const changed = new Set(), lines = [];
  for (const [key, { name, says }] of after) {
    const was = before.get(key);
    if (was && was.says === says) continue;
    changed.add(key);
    lines.push(was ? `${name}: ${was.says}, ${then} ${says}` : `${name}: new, ${says}`);
  }
  for (const [key, { name, says }] of before) {
    if (after.has(key)) continue;
    changed.add(key);
    lines.push(`${name}: gone, was ${says}`);
  }
  return { changed, lines };
};

// A state without the blocks of which the other one does not say anything: how far one sees depends on their sizes.
const seenInBoth = (state, other) => ({ ...state, ranges: state.ranges?.map((range) => {
  const others = other.ranges?.find((each) => each.process === range.process)?.pieces;
  const meets = (one) => others.some((each) => each.page < one.page + one.pages && one.page < each.page + each.pages);
  return others ? { ...range, pieces: range.pieces.filter(meets) } : range;
}) });

const marks = (key, context) =>
  (context.changed.has(key) ? " changed" : "") + (context.named.has(key) ? " named" : "");

const drawWord = (word, context) => {
  const drawn = make("div", { class: "word", role: "img", "aria-label": sayWord(word) });
  for (let at = 0; at < word.length; at += 8) {
    const byte = make("div", { class: "byte", "data-first": word[at].frame });
    for (const each of word.slice(at, at + 8)) {
      byte.append(make("span", {
        class: `cell ${CLASSES[each.state]}${marks(`frame ${each.frame}`, context)}`,
        title: `frame ${each.frame}: ${each.state}${since(each)}`, text: GLYPHS[each.state],
      }));
    }
    drawn.append(byte);
  }
  return drawn;
};

const sayWord = (word) => {
  const parts = [];
  for (const each of word) {
    const last = parts.at(-1);
    if (last && last.state === each.state) last.end = each.frame;
    else parts.push({ state: each.state, first: each.frame, end: each.frame });
  }
  return parts.map((p) => (p.first === p.end ? `frame ${p.first} ${p.state}`
    : `frames ${p.first} to ${p.end} ${p.state}`)).join(", ");
};

// Boundaries of the pieces before and after, so that both are drawn to one scale.
const bounds = (...lists) =>
  [...new Set(lists.flat().flatMap((each) => [each.page, each.page + each.pages]))].sort((a, b) => a - b);

const leaf = (each, key, context, columns, row, height) => {
  const node = make("div", {
    class: `node ${CLASSES[each.state]}${marks(key, context)}`,
    title: `${counted(each.pages, context.thing)} ${each.address ? `at ${each.address}` : `from ${each.page}`}: ${each.state}${since(each)}`,
  }, make("b", { text: each.pages.toLocaleString("en") }),
  make("small", { text: each.state }),
  each.line && make("small", { text: `line ${each.line}` }),
  context.named.has(key) && make("small", { text: "◎ this call" }));
  node.style.gridColumn = `${columns.indexOf(each.page) + 1} / ${columns.indexOf(each.page + each.pages) + 1}`;
  node.style.gridRow = `${row} / span ${height}`;
  return node;
};

const drawRuns = (pieces, others, keyOf, context) => {
  const columns = bounds(pieces, others);
  const drawn = make("div", { class: "tree", role: "img", "aria-label": sayPieces(pieces, context.thing) });
  drawn.style.gridTemplateColumns = `repeat(${columns.length - 1}, minmax(4.6rem, 1fr))`;
  for (const each of pieces) drawn.append(leaf(each, keyOf(each), context, columns, 1, 1));
  return scrolled(drawn, context.label);
};

const sayPieces = (pieces, thing) => pieces.map((each) =>
  `${counted(each.pages, thing)} ${each.address ? `at ${each.address}` : `from ${each.page}`}: ${each.state}${since(each)}`).join("; ");

const scrolled = (drawn, label) =>
  make("div", { class: "strip", tabindex: "0", role: "group", "aria-label": label }, drawn);

const orderOf = (pages) => Math.round(Math.log2(pages));

const drawTree = (pieces, others, keyOf, context) => {
  const columns = bounds(pieces, others);
  const all = [...pieces, ...others];
  const first = Math.min(...all.map((each) => each.page));
  const end = Math.max(...all.map((each) => each.page + each.pages));
  let order = orderOf(Math.max(...all.map((each) => each.pages)));
  while (Math.floor(first / 2 ** order) !== Math.floor((end - 1) / 2 ** order)) order += 1;
  // Levels of which nothing is drawn but the way down are left out.
  const orders = new Set([order, ...all.map((each) => orderOf(each.pages))]);
  const levels = [...orders].sort((a, b) => b - a);
  const drawn = make("div", { class: "tree", role: "img", "aria-label": sayPieces(pieces, context.thing) });
  drawn.style.gridTemplateColumns = `repeat(${columns.length - 1}, minmax(4.6rem, 1fr))`;
  levels.forEach((level, row) => {
    const size = 2 ** level;
    for (let start = Math.floor(first / size) * size; start < end;) {
      const inside = pieces.filter((each) => each.page < start + size && start < each.page + each.pages);
      const whole = inside.find((each) => each.page === start && each.pages === size);
      if (whole) {
        drawn.append(leaf(whole, keyOf(whole), context, columns, row + 1, levels.length - row));
      } else if (inside.length && inside.every((each) => each.pages < size)) {
        const shown = make("div", { class: "node is-split", title: `${counted(size, "page")} from page ${start}, split` },
          make("small", { text: `${size.toLocaleString("en")} split` }));
        const from = columns.indexOf(Math.min(...inside.map((each) => each.page)));
        const to = columns.indexOf(Math.max(...inside.map((each) => each.page + each.pages)));
        shown.style.gridColumn = `${from + 1} / ${to + 1}`;
        shown.style.gridRow = `${row + 1}`;
        drawn.append(shown);
      }
      const next = pieces.map((each) => each.page).filter((page) => page >= start + size);
      if (!next.length) break;
      start = Math.floor(Math.min(...next) / size) * size;
    }
  });
  return scrolled(drawn, context.label);
};

const isZero = (value) => value === undefined || /^0x0( |$)/.test(value);

const drawHalves = (table, context) => {
  const entries = Object.entries(table.entries);
  if (!table.in_part && entries.every(([index, value]) => isZero(value) && !context.changed.has(`entry ${table.process} ${index}`))) {
    return make("div", { class: "small soft", text: "all 512 entries are 0" });
  }
  const drawn = make("div", { class: "halves" });
  for (const [name, from] of [["lower half", 0], ["upper half, the kernel's", 256]]) {
    const inside = entries.filter(([index]) => from <= index && index < from + 256);
    if (table.in_part && !inside.length) continue;
    if (inside.every(([index, value]) => isZero(value) && !context.changed.has(`entry ${table.process} ${index}`))) {
      drawn.append(make("div", { class: "small soft", text: `${name}: all entries are 0` }));
      continue;
    }
    const half = make("div", { class: "half", role: "img",
      "aria-label": `${name} of ${nameOf(table)}: ${inside.map(([i, v]) => `entry ${i} ${v}`).join(", ") }` });
    for (let index = from; index < from + 256; index += 1) {
      const value = table.entries[index];
      half.append(make("i", { class: (isZero(value) ? "" : "is-used") + marks(`entry ${table.process} ${index}`, context),
        title: `entry ${index}: ${value ?? "0x0"}` }));
    }
    const says = inside.slice(0, 8).map(([index, value]) =>
      `${context.changed.has(`entry ${table.process} ${index}`) ? "▲ " : ""}${index}: ${value}`);
    if (inside.length > 8) says.push(`and ${inside.length - 8} more`);
    drawn.append(make("div", {}, make("div", { class: "small soft", text: name }), half,
      make("div", { class: "small mono", text: says.join("; ") })));
  }
  return drawn;
};

const drawTable = (head, rows) => make("div", { class: "wide" }, make("table", {},
  make("thead", {}, make("tr", {}, ...head.map((text) => make("th", { scope: "col", text })))),
  make("tbody", {}, ...rows.map(({ cells, changed }) =>
    make("tr", { class: changed ? "changed-row" : "" }, ...cells.map((text) => make("td", { text })))))));

// One kind of state, before and after.
const kind = (title, draw, before, after, context, beside = true) => {
  const panel = (name, state, other) => make("div", { class: "panel" }, make("h4", { text: name }),
    ...draw(state, other, { ...context, label: `${title} ${name.toLowerCase()}` }));
  return make("div", { class: "kind", role: "group", "aria-label": title }, make("h3", { text: title }),
    make("div", { class: beside ? "pair beside" : "pair" }, panel(context.words.before, before, after), panel(context.words.after, after, before)));
};

const drawState = (before, after, context, family) => {
  const drawn = [];
  if (before.frames || after.frames) {
    drawn.push(kind("Frames", (state) => {
      const words = (state.frames?.words ?? []).map((word) => drawWord(framesOf(word), context));
      return [...words, make("div", { class: "small soft", text: `${counted(state.frames?.free ?? 0, "frame")} free in all` })];
    }, before, after, context));
    if (before.frames?.runs || after.frames?.runs) {
      const runsOf = (state) => state.frames?.runs ?? [];
      const keyOf = (each) => `run ${each.page} ${each.pages}${each.state}${since(each)}`;
      drawn.push(kind("Runs of frames", (state, other, c) => {
        const was = new Set(runsOf(other).map(keyOf));
        const changed = new Set(runsOf(state).map(keyOf).filter((key) => !was.has(key)));
        return [drawRuns(runsOf(state), runsOf(other), keyOf, { ...c, changed, thing: "frame" })];
      }, before, after, context, false));
    }
  }
  const processes = new Set([...(before.ranges ?? []), ...(after.ranges ?? [])].map((each) => each.process));
  for (const process of processes) {
    const of = (state) => (state.ranges ?? []).find((each) => each.process === process) ?? { pieces: [] };
    const isBuddy = (of(before).is_buddy ?? of(after).is_buddy);
    const title = (isBuddy ? "Buddy tree" : "Runs") + (process ? ` of process ${process}` : " of the kernel's range");
    const keyOf = (each) => `piece ${process} ${each.page} ${each.pages}`;
    const draw = (state, other, c) => {
      const pieces = of(state).pieces;
      if (!pieces.length) return [make("div", { class: "small soft", text: "nothing is known of this range" })];
      return [(isBuddy ? drawTree : drawRuns)(pieces, of(other).pieces, keyOf, { ...c, thing: "page" })];
    };
    drawn.push(kind(title, draw, before, after, context, false));
  }
  if (before.tables || after.tables) {
    drawn.push(kind("Top-level page tables", (state) => (state.tables ?? []).map((table) => (table.others
      ? make("div", { class: "small soft", text: `processes that are not drawn: ${table.others.toLocaleString("en")}` })
      : make("div", { class: "panel" }, make("div", { class: marks(`process ${table.process}`, context).includes("changed") ? "now" : "small",
        text: (context.changed.has(`process ${table.process}`) ? "▲ " : "") + nameOf(table) }), drawHalves(table, context)))), before, after, context));
  }
  if (before.mapped || after.mapped) {
    drawn.push(kind("What is mapped", (state) => [drawTable(["process", "page", "shows", "line"],
      (state.mapped ?? []).map((each) => ({ changed: context.changed.has(`mapped ${each.process} ${each.page}`),
        cells: [each.process, each.page, each.shows ?? "nothing", each.line ?? ""] })))], before, after, context));
  }
  if (before.heap || after.heap) {
    drawn.push(kind("Heap", (state) => [drawTable(["live block", "bytes", "line"],
      (state.heap ?? []).map((each) => ({ changed: context.changed.has(`block ${each.address}`),
        cells: [each.address, each.bytes.toLocaleString("en"), each.line] })))], before, after, context));
  }
  // What the call that diverges is about comes first.
  const isAbout = (each) => (FAMILIES[family] ?? []).some((title) => each.getAttribute("aria-label").startsWith(title));
  return [...drawn.filter(isAbout), ...drawn.filter((each) => !isAbout(each))];
};

const legend = () => {
  const sample = (classes, text) => make("span", {}, make("span", { class: `cell ${classes}` }), text);
  return make("div", { class: "legend", "aria-hidden": "true" }, sample("is-free", "free"), sample("is-used", "in use"),
    sample("is-fixed", "taken at start, never free"), sample("is-missing", "does not exist"),
    sample("is-free named", "◎ named by this call"), make("span", {}, make("b", { text: "▲" }), "and an outline: changed"));
};

// Which of the things that are drawn a call names.
const named = (step, states, pageSize) => {
  const found = new Set(step.names.frames.map((frame) => `frame ${frame}`));
  for (const [process, index] of step.names.entries) found.add(`entry ${process} ${index}`);
  for (const [process, address] of step.names.pages) {
    for (const state of states) {
      for (const range of (state.ranges ?? []).filter((each) => each.process === process)) {
        for (const each of range.pieces) {
          const start = BigInt(each.address), place = BigInt(address);
          if (start <= place && place < start + BigInt(each.pages) * BigInt(pageSize)) {
            found.add(`piece ${process} ${each.page} ${each.pages}`);
          }
        }
      }
    }
  }
  return found;
};
