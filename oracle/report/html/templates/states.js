// Draws a state of a machine, beside the one before or after it. Text is only ever set as text.

const CLASSES = { "free": "is-free", "in use": "is-used", "never free": "is-fixed", "missing": "is-missing", "not seen": "is-unseen" };
const SAID = { "free": "free", "in use": "in use", "never free": "taken at start, never free", "missing": "does not exist",
  "not seen": "not known yet: nothing has told of it" };
const FAMILIES = { range: ["Buddy tree", "Runs of process", "Runs of the"], page: ["What is mapped"], process: ["Top-level"],
  pml4: ["Top-level"], heap: ["Heap"], kernel_pages: ["Buddy tree", "Runs of the", "What is mapped"] };
const GLYPHS = { "free": "", "in use": "", "never free": "", "missing": "×", "not seen": "?" };

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

const STATES = { f: "free", u: "in use", n: "never free", x: "missing", s: "not seen" };
const framesOf = (word) => [...word.states].map((letter, place) => {
  const frame = word.first + place;
  return { frame, state: STATES[letter], line: word.line[frame], uses: word.uses[frame] };
});

// A frame's number, as this timeline writes numbers.
const numberOf = (frame, words) => (words.in_hexadecimal ? `0x${frame.toString(16)}` : String(frame));

const nameOf = (table) => table.name ?? `process ${table.process}`;

const living = (state) => state.tables.reduce((sum, table) => sum + (table.others ?? 1), 0);

// Not all processes are drawn: one that is drawn in this state alone is new, or gone, only if there are fewer in the other.
const maybeThere = (table, state, other) => Boolean(other.tables)
  && !other.tables.some((each) => each.process === table.process) && living(state) <= living(other);

// What there is to compare in a state: by a key, what it is called and what is said of it.
const things = (state, other, words) => {
  const found = new Map();
  const put = (key, name, says, more = {}) => found.set(key, { name, says, ...more });
  for (const word of state.frames?.words ?? []) {
    for (const each of framesOf(word)) {
      put(`frame ${each.frame}`, `${words.frame} ${numberOf(each.frame, words)}`,
        SAID[each.state] + since(each) + (each.uses ? `, shown by ${counted(each.uses, "use")}` : ""), { frame: each.frame,
          nameTo: (last) => `${words.frame}s ${numberOf(each.frame, words)} to ${numberOf(last, words)}` });
    }
  }
  for (const range of state.ranges ?? []) {
    for (const each of range.pieces) {
      put(`piece ${range.process} ${each.page} ${each.pages}`,
        `${counted(each.pages, "page")} at ${each.address} of process ${range.process}`, each.state + since(each));
    }
  }
  for (const table of state.tables ?? []) {
    if (table.others || maybeThere(table, state, other)) continue;
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
  for (const slab of state.slabs ?? []) {
    if (slab.hash) put(`object ${slab.hash}`, `object with the hash ${slab.hash}`, slab.state + since(slab));
    for (const each of (slab.pieces ?? []).filter((piece) => piece.state !== "not seen")) {
      put(`object ${each.address}`, `object at ${each.address}`,
        (each.unsized ? "" : `${counted(each.pages, "byte")}, `) + each.state + since(each));
    }
  }
  return found;
};

const compare = (before, after, then) => {
  const changed = new Set(), lines = [];
  let run = null;  // of neighbouring frames that change alike
  for (const [key, { name, says, frame, nameTo }] of after) {
    const was = before.get(key);
    if (was && was.says === says) continue;
    changed.add(key);
    const change = was ? `${was.says}, ${then} ${says}` : `new, ${says}`;
    if (run && frame === run.last + 1 && change === run.change) {
      run.last = frame;
      lines[lines.length - 1] = `${run.nameTo(frame)}: ${change}`;
      continue;
    }
    run = frame === undefined ? null : { last: frame, change, nameTo };
    lines.push(`${name}: ${change}`);
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
  const words = context.words;
  const drawn = make("div", { class: "word", role: "img", "aria-label": sayWord(word, words) });
  for (let at = 0; at < word.length; at += 8) {
    const byte = make("div", { class: "byte", "data-first": numberOf(word[at].frame, words) });
    for (const each of word.slice(at, at + 8)) {
      byte.append(make("span", {
        class: `cell ${CLASSES[each.state]}${marks(`frame ${each.frame}`, context)}`,
        title: `${words.frame} ${numberOf(each.frame, words)}: ${each.state}${since(each)}`, text: GLYPHS[each.state],
      }));
    }
    drawn.append(byte);
  }
  return drawn;
};

const sayWord = (word, words) => {
  const parts = [];
  for (const each of word) {
    const last = parts.at(-1);
    if (last && last.state === each.state) last.end = each.frame;
    else parts.push({ state: each.state, first: each.frame, end: each.frame });
  }
  const number = (frame) => numberOf(frame, words);
  return parts.map((p) => (p.first === p.end ? `${words.frame} ${number(p.first)} ${p.state}`
    : `${words.frame}s ${number(p.first)} to ${number(p.end)} ${p.state}`)).join(", ");
};

// Boundaries of the pieces before and after, so that both are drawn to one scale.
const bounds = (...lists) =>
  [...new Set(lists.flat().flatMap((each) => [each.page, each.page + each.pages]))].sort((a, b) => a - b);

const leaf = (each, key, context, columns, row, height) => {
  const node = make("div", {
    class: `node ${CLASSES[each.state] ?? "is-split"}${marks(key, context)}`,
    title: `${counted(each.pages, context.thing)} ${each.address ? `at ${each.address}` : `from ${each.page}`}: ${each.state || "no live block"}${since(each)}`,
  }, make("b", { text: each.unsized ? "?" : each.pages.toLocaleString("en") }),
  make("small", { text: each.state || "no live block" }),
  each.line && make("small", { text: `line ${each.line}` }),
  context.thing === "byte" && make("small", { text: each.address.length > DIGITS ? `…${each.address.slice(-DIGITS)}` : each.address }),
  context.named.has(key) && make("small", { text: `◎ this ${context.words.call}` }));
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
  `${counted(each.pages, thing)} ${each.address ? `at ${each.address}` : `from ${each.page}`}: ${each.state || "no live block"}${since(each)}`).join("; ");

const scrolled = (drawn, label) =>
  make("div", { class: "strip", tabindex: "0", role: "group", "aria-label": label }, drawn);

const DIGITS = 6;  // of an address beside others of the same page or piece of memory

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
  const isOfNoUse = ([index, value]) => isZero(value) && !marks(`entry ${table.process} ${index}`, context);
  if (!table.in_part && entries.every(isOfNoUse)) {
    return make("div", { class: "small soft", text: "all 512 entries are 0" });
  }
  const drawn = make("div", { class: "halves" });
  for (const [name, from] of [["lower half", 0], ["upper half, the kernel's", 256]]) {
    const inside = entries.filter(([index]) => from <= index && index < from + 256);
    if (table.in_part && !inside.length) continue;
    if (inside.every(isOfNoUse)) {
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
    drawn.push(kind(context.words.frames, (state) => {
      const words = (state.frames?.words ?? []).map((word) => drawWord(framesOf(word), context));
      const free = state.frames?.free;
      return free === undefined ? words : [...words, make("div", { class: "small soft", text: `${counted(free, "frame")} free in all` })];
    }, before, after, context));
    if (before.frames?.runs || after.frames?.runs) {
      const runsOf = (state) => state.frames?.runs ?? [];
      const keyOf = (each) => `run ${each.page} ${each.pages}${each.state}${since(each)}`;
      drawn.push(kind(context.words.runs, (state, other, c) => {
        const was = new Set(runsOf(other).map(keyOf));
        const changed = new Set(runsOf(state).map(keyOf).filter((key) => !was.has(key)));
        return [drawRuns(runsOf(state), runsOf(other), keyOf, { ...c, changed, thing: context.words.frame })];
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
    const keyOf = (each) => (each.state ? `block ${each.address}` : "");
    const [was, is] = heapPieces(before.heap ?? [], after.heap ?? []);
    drawn.push(kind("Heap: live blocks next to what is named", (state, other, c) => {
      const [pieces, others] = state === before ? [was, is] : [is, was];
      if (!pieces.length) return [make("div", { class: "small soft", text: "no live block" })];
      return [drawRuns(pieces, others, keyOf, { ...c, thing: "byte" })];
    }, before, after, context, false));
  }
  for (const [place, slab] of (after.slabs ?? before.slabs ?? []).entries()) {
    const of = (state) => state.slabs?.[place] ?? { pieces: [] };
    if (slab.hash) {
      drawn.push(kind(`Object with the hash ${slab.hash}`, (state) => [make("p", { class: context.changed.has(`object ${slab.hash}`) ? "now" : "",
        text: of(state).state + since(of(state)) })], before, after, context));
    } else {
      const keyOf = (each) => (each.state === "not seen" ? "" : `object ${each.address}`);
      drawn.push(kind(`Objects of the page at ${slab.start}`, (state, other, c) => [drawRuns(of(state).pieces, of(other).pieces, keyOf, { ...c, thing: "byte" })],
        before, after, context, false));
    }
  }
  // What the call that diverges is about comes first.
  const isAbout = (each) => (FAMILIES[family] ?? []).some((title) => each.getAttribute("aria-label").startsWith(title));
  return [...drawn.filter(isAbout), ...drawn.filter((each) => !isAbout(each))];
};

// What is in any of the parts of a timeline, as its state.
const statesOf = (parts) => new Set(parts.flatMap((part) => {
  const lists = Array.isArray(part) ? part : [part];
  return lists.flatMap((each) => [
    ...(each.words ?? []).flatMap((word) => [...word.states].map((letter) => STATES[letter])),
    ...[each, ...(each.pieces ?? []), ...(each.runs ?? [])].map((piece) => piece.state)]);
}));

// Live blocks as pieces of one scale: distances from the lowest address, and what is between two of them.
const heapPieces = (...states) => {
  const starts = states.flat().map((each) => BigInt(each.address));
  const lowest = starts.reduce((one, other) => (other < one ? other : one), starts[0] ?? 0n);
  const all = states.map((blocks) => blocks.map((each) => ({ page: Number(BigInt(each.address) - lowest), pages: Math.max(each.bytes, 1),
    address: each.address, state: "in use", line: each.line, unsized: each.bytes === 0 })));
  const ends = Math.max(0, ...all.flat().map((each) => each.page + each.pages));
  return all.map((pieces) => {
    const filled = [];
    let place = 0;
    const gap = (end) => place < end && filled.push({ page: place, pages: end - place, address: `0x${(lowest + BigInt(place)).toString(16)}`, state: "", line: 0 });
    for (const each of pieces.sort((a, b) => a.page - b.page)) {
      gap(each.page);
      filled.push(each);
      place = Math.max(place, each.page + each.pages);
    }
    gap(ends);
    return filled;
  });
};

const legend = (parts, words) => {
  const sample = (classes, text, glyph = "") => make("span", {}, make("span", { class: `cell ${classes}`, text: glyph }), text);
  const there = statesOf(parts);
  return make("div", { class: "legend", "aria-hidden": "true" },
    ...Object.keys(CLASSES).filter((state) => there.has(state)).map((state) => sample(CLASSES[state], SAID[state], GLYPHS[state])),
    sample("is-free named", `◎ named by this ${words.call}`), make("span", {}, make("b", { text: "▲" }), "and an outline: changed"));
};

// Which of the things that are drawn a call names.
const named = (step, states, pageSize) => {
  const found = new Set(step.names.frames.map((frame) => `frame ${frame}`));
  const isIn = (address, start, bytes) => BigInt(start) <= BigInt(address) && BigInt(address) < BigInt(start) + BigInt(bytes);
  for (const address of step.names.objects ?? []) {
    const objects = states.flatMap((state) => (state.slabs ?? []).flatMap((slab) => slab.pieces ?? []));
    for (const each of objects) if (isIn(address, each.address, each.pages)) found.add(`object ${each.address}`);
    for (const each of states.flatMap((state) => state.heap ?? [])) {
      if (isIn(address, each.address, Math.max(each.bytes, 1))) found.add(`block ${each.address}`);
    }
  }
  for (const [process, index] of step.names.entries) found.add(`entry ${process} ${index}`);
  for (const [process, address] of step.names.pages) {
    for (const state of states) {
      for (const range of (state.ranges ?? []).filter((each) => each.process === process)) {
        for (const each of range.pieces) {
          if (isIn(address, each.address, BigInt(each.pages) * BigInt(pageSize))) {
            found.add(`piece ${process} ${each.page} ${each.pages}`);
          }
        }
      }
    }
  }
  return found;
};
