// Steps through the timelines of the page, whose data stands in it as JSON, and brings what matters into view.

const data = JSON.parse(document.getElementById("data").textContent);
const MOST_CHANGES = 12;

// Of what is wider than the page the part that this step is about.
const bringIntoView = (drawing) => {
  for (const strip of drawing.querySelectorAll(".strip")) {
    const node = strip.querySelector(".changed, .named");
    if (node) strip.scrollLeft = node.offsetLeft - (strip.clientWidth - node.offsetWidth) / 2;
  }
};

const begin = (root, timeline) => {
  const whole = (state) => Object.fromEntries(Object.entries(state).map(([name, place]) => [name, timeline.parts[place]]));
  const words = timeline.words, steps = timeline.steps, last = steps.length - 1;
  let at = words.end ? last : 0;
  const buttons = [...root.querySelectorAll(".steps [data-step]")].map((item) => {
    const button = make("button", { type: "button", text: item.textContent });
    item.replaceChildren(button);
    button.addEventListener("click", () => go(Number(item.dataset.step)));
    return button;
  });
  if (matchMedia("(max-width: 64rem)").matches) root.querySelector(".aside details").open = false;
  const stage = root.querySelector(".stage");
  const live = make("p", { class: "unseen", "aria-live": "polite" });
  const now = make("p", { class: "now" });
  const changes = make("div", {});
  const drawing = make("div", { class: "panel" });
  const slider = make("input", { type: "range", min: "1", max: String(steps.length), "aria-label": "Step" });
  slider.addEventListener("input", () => go(Number(slider.value) - 1));
  const button = (text, title, to) => {
    const made = make("button", { type: "button", title, text });
    made.addEventListener("click", () => go(to()));
    return made;
  };
  const first = button("First", "Home", () => 0), back = button("Back", "Left arrow", () => at - 1);
  const next = button("Next", "Right arrow", () => at + 1), end = button("Last", "End", () => last);
  const controls = make("div", { class: "controls", role: "group", "aria-label": "Steps" }, first, back, next, end, slider);
  stage.replaceChildren(controls, now, changes, legend(timeline.parts, words), drawing, live);

  const go = (to) => {
    at = Math.max(0, Math.min(last, to));
    const step = steps[at], states = [step.before, step.after].map((place) => whole(timeline.states[place]));
    const before = seenInBoth(states[0], states[1]), after = seenInBoth(states[1], states[0]);
    const { changed, lines } = compare(things(before, after, words), things(after, before, words), words.then);
    const context = { changed, named: named(step, [before, after], timeline.page_size), words };
    for (const [name, text] of Object.entries(step.finding ?? {})) root.querySelector(`.broken .${name}`).textContent = text;
    now.textContent = `${words.step} ${at + 1} of ${steps.length} · ${step.place}: ${step.event}` + (at === last && words.end ? ` — ${words.end}` : "");
    const shown = lines.slice(0, MOST_CHANGES).map((text) => make("li", { text }));
    if (lines.length > MOST_CHANGES) shown.push(make("li", { text: `and ${lines.length - MOST_CHANGES} more` }));
    const isEnd = at === last && Boolean(words.end), finding = timeline.finding;
    stage.classList.toggle("ends", isEnd);
    changes.replaceChildren(...(isEnd ? [make("p", { class: "wrong" }, make("b", { text: `✗ ${finding.message}` }),
      make("span", { text: ` — legal: ${finding.legal}` }))] : []),
    shown.length ? make("ul", { class: "changes" }, ...shown)
      : make("p", { class: "soft changes", text: isEnd ? words.last : words.same }));
    link(root.querySelector(".broken .message"));
    const left = step.left_out && make("p", { class: "small soft", text: `Of what this step names, ${step.left_out} more are not drawn.` });
    drawing.replaceChildren(...drawState(before, after, context, steps[last].event.split(/[. ]/)[0]), ...(left ? [left] : []));
    bringIntoView(drawing);
    slider.value = String(at + 1);
    slider.setAttribute("aria-valuetext", `${words.step.toLowerCase()} ${at + 1} of ${steps.length}, ${step.place}`);
    first.disabled = back.disabled = at === 0;
    next.disabled = end.disabled = at === last;
    buttons.forEach((each, place) => {
      if (place === at) each.setAttribute("aria-current", "step");
      else each.removeAttribute("aria-current");
    });
    const list = root.querySelector(".steps"), item = buttons[at];
    if (item) list.scrollTop = item.offsetTop - list.offsetTop - list.clientHeight / 2;
    live.textContent = `${now.textContent}. ${isEnd ? `${finding.message}. ` : ""}${lines.length ? lines.slice(0, 3).join(". ") : words.same}`;
    root.dataset.at = String(at + 1);
  };
  // The lines that a message names, as far as they are steps.
  const link = (message) => {
    const parts = message.textContent.split(/(\bline \d+)/).map((part) => {
      const place = steps.findIndex((step) => step.place === part);
      if (place < 0) return part;
      const made = make("button", { type: "button", class: "to", text: part });
      made.addEventListener("click", () => go(place));
      return made;
    });
    message.replaceChildren(...parts);
  };
  let touched = null;
  stage.addEventListener("touchstart", (event) => {
    touched = event.target.closest(".strip, .wide, input") ? null : event.changedTouches[0].clientX;
  }, { passive: true });
  stage.addEventListener("touchend", (event) => {
    if (touched === null) return;
    const moved = event.changedTouches[0].clientX - touched;
    if (Math.abs(moved) > 60) go(at + (moved < 0 ? 1 : -1));
  }, { passive: true });
  go(at);
  return { root, keys: { ArrowLeft: () => go(at - 1), ArrowRight: () => go(at + 1), Home: () => go(0), End: () => go(last) } };
};

// What has no order is what one looks for.
for (const figure of document.querySelectorAll(".bars")) {
  const places = [...figure.querySelectorAll(".inside")].map((bar) => bar.x.baseVal.value);
  if (Math.max(...places) > figure.clientWidth * 0.8) figure.scrollLeft = Math.min(...places) - figure.clientWidth / 3;
}

const begun = [...document.querySelectorAll("[data-timeline]")].map((root) => begin(root, data.timelines[Number(root.dataset.timeline)]));

const inView = () => begun.find(({ root }) => root.getBoundingClientRect().bottom > 80) ?? begun[0];
document.addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || !begun.length) return;
  if (event.target.closest("input, .strip, .wide, summary, a")) return;  // they have keys of their own
  const within = begun.find(({ root }) => root.contains(event.target));
  const of = within ?? (event.target === document.body ? inView() : null);
  const move = of?.keys[event.key];
  if (move) {
    event.preventDefault();
    move();
  }
});
