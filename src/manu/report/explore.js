// Shows one person's questions and the replies to them. The address after # is the only state.
"use strict";

const data = JSON.parse(document.getElementById("content").textContent);
const byId = (id) => document.getElementById(id);
const text = (place) => (place < 0 ? "" : data.texts[place]);
const distinct = (list) => [...new Set(list)];
const ALL = "all";
const ASKED = { multimodal: "with the picture", text: "in plain text" };
const GROUPS = {
  forget: "Forget set", retain: "Retain set", celebrity: "Public figures", general: "Strangers (general skill)",
  language: "Real language",
};
const LETTERS = "ABCD";

// An element with properties and children; a string becomes text, never markup.
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

// The choices of each control, from the data: value -> words.
const named = (values, words = String) => new Map(values.map((value) => [String(value), words(value)]));
const CHOICES = {
  model: named(distinct(data.runs.map((run) => run.model))),
  seed: named(distinct(data.runs.map((run) => run.seed))),
  ratio: named(Object.keys(data.groups), (ratio) => `${ratio} percent`),
  asked: new Map([[ALL, "both ways"], ...named(distinct(data.questions.modality.map(text)), (modality) => ASKED[modality] ?? modality)]),
  task: new Map([[ALL, "all"], ...named(distinct(data.questions.task.map(text)))]),
};

function groupsAt(ratio) {
  return Object.entries(data.groups[ratio]).filter(([split]) => split in GROUPS);
}

// The state in the address. A key that is missing or unknown has its first choice.
function state() {
  const given = new URLSearchParams(location.hash.slice(1)), now = {};
  for (const [key, choices] of Object.entries(CHOICES)) {
    now[key] = choices.has(given.get(key)) ? given.get(key) : choices.keys().next().value;
  }
  const shown = groupsAt(now.ratio).flatMap(([, places]) => places);
  const wanted = data.people.key.indexOf(given.get("person"));
  now.person = data.people.key[shown.includes(wanted) ? wanted : shown[0]];
  return now;
}

function address(changes) {
  const now = { ...state(), ...changes };
  const kept = Object.entries(now).filter(([key, value]) => value !== ALL && (key === "person" || CHOICES[key].size > 1));
  return `#${new URLSearchParams(kept).toString().replaceAll("%2F", "/")}`;
}

function portrait(place, which, alternative, side) {
  const source = data.people[which][place];
  return source ? make("img", { src: source, alt: alternative, width: side, height: side }) : null;
}

function showPeople() {
  const { ratio, person } = state();
  const wanted = byId("search").value.trim().toLowerCase();
  let count = 0;
  const groups = groupsAt(ratio).map(([split, places]) => {
    const fitting = places.filter((place) =>
      `${data.people.name[place]} ${data.people.key[place]}`.toLowerCase().includes(wanted));
    count += fitting.length;
    const items = fitting.map((place) => {
      const key = data.people.key[place];
      const link = make("a", { href: address({ person: key }) }, portrait(place, "picture", "", 32),
        make("span", {}, data.people.name[place]));
      if (key === person) link.setAttribute("aria-current", "true");
      return make("li", {}, link);
    });
    return items.length ? [make("h3", {}, `${GROUPS[split]} (${fitting.length})`), make("ul", {}, ...items)] : [];
  });
  const list = byId("people"), scrolled = list.scrollTop;
  list.replaceChildren(...groups.flat());
  list.scrollTop = scrolled;
  byId("found").textContent = wanted ? `${count} found` : "";
}

// Right or wrong, as a mark and a word; the score of a reply that is neither.
function verdict(question, reply) {
  const score = data.replies.score[reply], task = text(data.questions.task[question]);
  if (score === null) return make("span", { className: "mark" }, "–");
  if (task === "generation") return make("span", { className: "mark" }, `ROUGE-L ${score.toFixed(2)}`);
  if (task === "passage") return make("span", { className: "mark" }, `${score.toFixed(2)} nats per token`);
  return make("span", { className: `mark ${score === 1 ? "right" : "wrong"}` }, score === 1 ? "✓ right" : "✗ wrong");
}

function chosen(question, reply) {
  const options = data.questions.options[question], choice = data.replies.choice[reply];
  if (choice < 0) return options.length ? "none" : "";
  return `${LETTERS[options.indexOf(choice)] ?? "?"} ${text(choice)}`;
}

// A small bar for each option: its share of the likelihood of all. Nothing where likelihoods were not measured.
function shares(question, reply) {
  const found = data.replies.shares[reply];
  if (!found.length || !data.questions.options[question].length) return null;
  const words = found.map((share, place) => `${LETTERS[place] ?? "?"} ${share} %`).join(", ");
  const bars = make("span", { className: "shares", title: words }, ...found.map((share) => {
    const bar = make("i", {});
    bar.style.height = `${share}%`;
    return bar;
  }));
  bars.setAttribute("role", "img");
  bars.setAttribute("aria-label", `likelihood: ${words}`);
  return bars;
}

function cell(label, ...children) {
  const made = make("td", {}, ...children);
  made.dataset.label = label;
  return made;
}

function methodHead(run) {
  const role = { vanilla: " before", retain_only: " never saw the forget set" }[run.method];
  return make("th", { scope: "row", className: "name" }, run.method, role ? make("small", {}, role) : null);
}

function headRow(...words) {
  return make("thead", {}, make("tr", {}, ...words.map((word) => make("th", { scope: "col", className: "plain" }, word))));
}

function box(label, table) {
  const around = make("div", { className: "box", tabIndex: 0 }, table);
  around.setAttribute("role", "region");
  around.setAttribute("aria-label", label);
  return around;
}

function showQuestion(question, runs) {
  const column = (name) => text(data.questions[name][question]);
  const options = data.questions.options[question], right = data.questions.reference[question];
  const rows = runs.filter((run) => run.replies[question] >= 0).map((run) => {
    const reply = run.replies[question];
    const button = make("button", { type: "button", className: "audit", title: `manu audit ${run.file}` }, "audit");
    button.dataset.chain = run.chain;
    button.setAttribute("aria-label", `audit of ${run.method}`);
    return make("tr", {}, methodHead(run), cell("", verdict(question, reply)),
      ...(options.length ? [cell("chose", chosen(question, reply), shares(question, reply))] : []),
      cell("said", make("q", {}, text(data.replies.reply[reply]))), cell("", button));
  });
  const table = make("table", { className: "stack" },
    headRow("method", "", ...(options.length ? ["choice"] : []), "reply", ""), make("tbody", {}, ...rows));
  const listed = options.map((option, place) => make("li", { className: option === right ? "true" : "" },
    `${LETTERS[place] ?? "?"} ${text(option)}`, option === right ? make("small", {}, " ← reference") : null));
  return make("article", {},
    make("h4", {}, column("prompt")),
    make("p", { className: "small" }, `${ASKED[column("modality")] ?? column("modality")}, ${column("task")} · `,
      make("code", {}, data.questions.id[question])),
    listed.length ? make("ul", { className: "options" }, ...listed)
      : make("p", { className: "true" }, make("small", {}, "reference: "), column("reference")),
    box(`replies: ${column("prompt")}`, table));
}

// Right answers of each run over the questions shown, one column per modality.
function summary(questions, runs) {
  const judged = questions.filter((question) => !["generation", "passage"].includes(text(data.questions.task[question])));
  const modalities = distinct(judged.map((question) => text(data.questions.modality[question])));
  if (!judged.length) return null;
  const rows = runs.map((run) => make("tr", {}, methodHead(run), ...modalities.map((modality) => {
    const asked = judged.filter((question) => text(data.questions.modality[question]) === modality && run.replies[question] >= 0);
    const right = asked.filter((question) => data.replies.score[run.replies[question]] === 1).length;
    const bar = make("meter", { min: 0, max: asked.length || 1, value: right });
    bar.setAttribute("aria-hidden", "true");
    return make("td", {}, `${right} of ${asked.length} `, bar);
  })));
  const heads = headRow("right answers", ...modalities.map((modality) => ASKED[modality] ?? modality));
  return box("right answers", make("table", { className: "summary" }, heads, make("tbody", {}, ...rows)));
}

function showPerson() {
  const now = state(), place = data.people.key.indexOf(now.person), name = data.people.name[place];
  const [split] = groupsAt(now.ratio).find(([, places]) => places.includes(place));
  const runs = data.runs.filter((run) =>
    run.model === now.model && String(run.seed) === now.seed && run.ratios.includes(Number(now.ratio)));
  const fits = (column, wanted) => (question) =>
    wanted === ALL || text(data.questions[column][question]) === wanted;
  const questions = data.questions.person.flatMap((person, question) => (person === place ? [question] : []))
    .filter(fits("modality", now.asked)).filter(fits("task", now.task))
    .filter((question) => runs.some((run) => run.replies[question] >= 0));
  const parts = [["", questions.filter((question) => !data.questions.test[question])]];
  if (split === "forget") {
    parts.push(["Test set: another portrait, other words", questions.filter((question) => data.questions.test[question])]);
  }
  const heading = make("h2", { id: "shown", tabIndex: -1 }, name);
  byId("person").replaceChildren(
    make("div", { className: "who" }, portrait(place, "picture", `portrait of ${name}`, 96),
      make("div", {}, heading, make("p", {}, `${GROUPS[split]} · `, make("code", {}, now.person)))),
    ...parts.filter(([, some]) => some.length).flatMap(([title, some]) => [
      ...(title ? [make("div", { className: "who second" }, portrait(place, "second", `another portrait of ${name}`, 64),
        make("h3", {}, title))] : []),
      ...[summary(some, runs)].filter((table) => table), ...some.map((question) => showQuestion(question, runs))]),
    ...(questions.length ? [] : [make("p", {}, "The study has no such question.")]));
  document.title = `${name}: study ${data.study}`;
}

function show() {
  const now = state();
  for (const key of Object.keys(CHOICES)) byId(key).value = now[key];
  byId("command").hidden = true;
  showPeople();
  showPerson();
}

for (const [key, choices] of Object.entries(CHOICES)) {
  byId(key).append(...[...choices].map(([value, words]) => make("option", { value }, words)));
  byId(key).addEventListener("change", () => { location.hash = address({ [key]: byId(key).value }); });
}
document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
byId("search").addEventListener("input", showPeople);
byId("skip").addEventListener("click", (event) => { event.preventDefault(); byId("shown").focus(); });

// Arrow keys move through the list. On a narrow screen a click moves the focus down to the person.
byId("people").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const links = [...byId("people").querySelectorAll("a")];
  links[links.indexOf(document.activeElement) + step]?.focus();
  event.preventDefault();
});
byId("people").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link) return;
  event.preventDefault();
  history.pushState(null, "", link.getAttribute("href"));
  show();
  if (matchMedia("(max-width: 60rem)").matches) byId("shown").focus();
  else byId("people").querySelector("a[aria-current]").focus();
});

const bar = byId("command");
byId("person").addEventListener("click", (event) => {
  const button = event.target.closest("button.audit");
  if (!button) return;
  bar.querySelector("code").textContent = button.title;
  bar.querySelector("a").href = `index.html#${encodeURIComponent(button.dataset.chain)}`;
  bar.hidden = false;
});
bar.querySelector("button").addEventListener("click", () => { bar.hidden = true; });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") bar.hidden = true; });

window.addEventListener("hashchange", show);
window.addEventListener("popstate", show);
show();
