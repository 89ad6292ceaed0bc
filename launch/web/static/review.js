// The review page: an item at a time, a verdict, the next. The item's id stands behind the # of the address.

import { renderItem } from "./review_item.js";
import { Verdict } from "./review_verdict.js";

const NAME = "medrl-rater";
const AGAIN_MS = 1500;
const at = (id) => document.getElementById(id);

let rater = "";
let kind = "preference";
let current = null;
let busy = false;
let waiting = 0;

const verdict = new Verdict(at("verdict"), (value) => once(() => save(value)));

async function ask(path, body) {
  const options = body ? { method: "POST", body: JSON.stringify(body) } : {};
  let response;
  try {
    response = await fetch(`/api/review/${path}`, options);
  } catch {
    throw new Error("the server does not answer; is the command still running? Nothing was changed");
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function tell(message, bad = false) {
  at("status").textContent = message;
  at("status").classList.toggle("bad", bad);
}

// One thing at a time: a second click while one is on its way does nothing.
async function once(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
  } catch (error) {
    tell(error.message, true);
  } finally {
    busy = false;
  }
}

async function load({ id = "", after = "", given = null } = {}) {
  clearTimeout(waiting);
  const found = await ask(`item?${new URLSearchParams({ rater, kind, id, after })}`);
  kind = found.kind;
  document.querySelector(`input[name=kind][value=${kind}]`).checked = true;
  at("counted").textContent = `${found.done} of ${found.total} rated`;
  at("progress").value = found.total ? found.done / found.total : 0;
  at("skip").disabled = found.item === null;
  current = found.item;
  history.replaceState(null, "", current ? `#${current.id}` : location.pathname);
  at("verdict").hidden = current === null;
  if (current === null) {
    at("item").replaceChildren();
    nothingLeft(found, id);
    return;
  }
  at("item").replaceChildren(...renderItem(current));
  verdict.show(current, kind, [...at("item").querySelectorAll("article")], given ?? found.rated);
  scrollTo(0, 0);
}

function nothingLeft(found, id) {
  let next = {};
  if (found.problems.length) tell(found.problems.join("; "), true);
  else if (found.read < 1) {
    next = { id };
    tell(`Reading the run: ${Math.round(100 * found.read)}%`);
  } else if (id) tell("What this link leads to is not in the run any more. The next follows.", true);
  else if (found.total) tell("All is rated: thank you. More comes as the run goes on.");
  else tell("There is nothing to rate yet: no question has two episodes of different outcome.");
  waiting = setTimeout(() => once(() => load(next)), AGAIN_MS);
}

async function save(value) {
  await ask("rate", { rater, item: current.id, shown: current.episodes.map((each) => each.digest), ...value });
  await load({ after: current.id });
  if (current) tell("Saved. The key u takes it back.");
}

async function undo() {
  const { item, kind: of, rated } = await ask("undo", { rater });
  if (of === null) {
    tell("There is nothing to take back.");
    return;
  }
  kind = of;
  await load(item ? { id: item, given: rated } : {});
  tell("Taken back: decide again, or skip.");
}

async function skip() {
  await load({ after: current.id });
  tell("Skipped: it comes again at the end.");
}

function begin(name) {
  rater = name;
  localStorage.setItem(NAME, name);
  at("name").textContent = name;
  at("who").hidden = true;
  at("work").hidden = false;
  tell("");
  once(() => load({ id: location.hash.slice(1) }));
}

function introduce() {
  at("work").hidden = true;
  at("verdict").hidden = true;
  at("who").hidden = false;
  at("rater").value = rater;
  at("rater").focus();
}

at("who").addEventListener("submit", (event) => {
  event.preventDefault();
  begin(at("rater").value.trim());
});
at("change").addEventListener("click", introduce);
at("undo").addEventListener("click", () => once(undo));
at("skip").addEventListener("click", () => once(skip));
for (const mode of document.querySelectorAll("input[name=kind]")) {
  mode.addEventListener("change", () => once(async () => {
    kind = mode.value;
    mode.blur();
    tell("");
    await load();
  }));
}
addEventListener("hashchange", () => once(() => load({ id: location.hash.slice(1) })));
addEventListener("keydown", (event) => {
  const typing = event.target.matches("textarea, input:not([type=radio], [type=checkbox])");
  const pressing = event.key === "Enter" && event.target.matches("button, summary, a");
  if (typing && event.key === "Escape") event.target.blur();
  if (!current || at("work").hidden || typing || pressing || event.ctrlKey || event.metaKey || event.altKey) return;
  const gold = document.querySelector(".gold");
  const work = {
    u: () => once(undo), s: () => once(skip), g: () => { gold.open = !gold.open; }, c: () => at("comment").focus(),
  }[event.key];
  if (work) work();
  if (work || verdict.press(event.key)) event.preventDefault();
});

const about = await ask("about");
document.title = `Review of ${about.run}`;
rater = about.rater || localStorage.getItem(NAME) || "";
if (rater) begin(rater);
else introduce();
