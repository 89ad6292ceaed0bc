// Groups of episodes: a list to filter and search, and the chosen group beside it.

import { ask } from "./api.js";
import { h, option } from "./dom.js";
import { share } from "./format.js";
import { Group } from "./group.js";
import * as url from "./url.js";

const FILTERS = ["part", "result", "ending", "tool", "hops", "specialty", "min_reward", "max_reward", "min_calls", "q"];
const RESULTS = { "": "any", correct: "all correct", wrong: "all wrong", mixed: "mixed" };
const WAIT_MS = 250;

export class Groups {
  #rows = [];
  #next = null;
  #total = 0;
  #asked = null;
  #filters = null;
  #read = null;
  #timer = null;

  constructor(app) {
    this.app = app;
    this.controls = Object.fromEntries(FILTERS.map((name) => [name, control(name, () => this.#filter(name))]));
    const { part, result, ending, tool, hops, specialty, min_reward: low, max_reward: high, min_calls: calls, q } = this.controls;
    const label = (text, input) => h("label", {}, text, input);
    this.form = h("form", { role: "search", "aria-label": "Filter groups", submit: (event) => event.preventDefault() },
      label("Search the episodes for words", q), label("Step or part", part), label("Result", result),
      label("Ending", ending), label("Tool called", tool), label("Hops", hops), label("Specialty", specialty),
      label("Reward from", low), label("Reward to", high), label("Calls, at least", calls),
      h("button", { type: "button", click: () => url.set(Object.fromEntries(FILTERS.map((name) => [name, ""]))) }, "Clear"));
    this.count = h("p", { class: "quiet", role: "status" });
    this.list = h("ol", {});
    this.more = h("button", { type: "button", hidden: true, click: () => this.#ask(this.#next) }, "More");
    this.group = new Group(app);
    this.stranger = h("p", { class: "note", role: "status" });
    this.element = h("div", {}, this.form, h("div", { class: "browse" },
      h("section", { class: "list", "aria-label": "Groups" }, this.count, this.list, this.more,
        h("p", { class: "quiet" }, "j and k: next and previous group")), h("div", {}, this.stranger, this.group.element)));
    this.keys = (event) => this.#key(event);
    document.addEventListener("keydown", this.keys);
  }

  close() {
    document.removeEventListener("keydown", this.keys);
    clearTimeout(this.#timer);
    this.#asked?.abort();
  }

  navigate() {
    for (const [name, input] of Object.entries(this.controls)) {
      if (document.activeElement !== input || input.value === "") input.value = url.get(name);
    }
    if (JSON.stringify(wanted()) !== this.#filters) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#ask(0), WAIT_MS);
    }
    this.#mark();
    this.#open();
  }

  async #open() {
    await this.group.navigate();
    this.#mark();
  }

  update() {
    const { parts, indexed } = this.app.live;
    fill(this.controls.part, parts, "all");
    const busy = this.element.hasAttribute("aria-busy"); // a search comes to its end before it is begun again
    if (!busy && (this.#read !== indexed.read || this.#filters === null)) {
      this.#read = indexed.read;
      this.#ask(0, this.#rows.length);
    }
    this.#open();
  }

  #filter(name) {
    url.set({ [name]: this.controls[name].value });
  }

  // From the `start`-th group on; goes on asking until there are `least` rows, or a page of them, or no more.
  async #ask(start, least = 0) {
    this.#asked?.abort();
    const asked = (this.#asked = new AbortController());
    const filters = wanted();
    this.#filters = JSON.stringify(filters);
    this.element.setAttribute("aria-busy", "true");
    let rows = start ? [...this.#rows] : [];
    try {
      const before = rows.length;
      for (let from = start; from !== null; ) {
        const answer = await ask("groups", { ...filters, start: from }, asked.signal);
        rows = [...rows, ...answer.rows];
        from = answer.next;
        Object.assign(this, { choices: answer.choices });
        this.#total = answer.total;
        this.#next = answer.next;
        if (filters.q) this.#show(rows, filters);
        if (rows.length >= Math.max(least, before + 50)) break;
      }
      for (const name of ["ending", "tool", "hops", "specialty"]) fill(this.controls[name], this.choices[name], "any");
      this.element.removeAttribute("aria-busy");
      this.#show(rows, filters);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.element.removeAttribute("aria-busy");
      this.count.textContent = error.message;
    }
  }

  #show(rows, filters) {
    this.#rows = rows;
    const searched = filters.q ? ` found; ${(this.#next ?? this.#total).toLocaleString("en")} of ` +
      `${this.#total.toLocaleString("en")} groups searched` : ` of ${this.#total.toLocaleString("en")} groups`;
    const none = this.#next === null && !rows.length;
    this.count.textContent = none ? `No group fits${filters.q ? `: all ${this.#total.toLocaleString("en")} are searched` : ""}.`
      : `${rows.length.toLocaleString("en")}${searched}`;
    this.more.hidden = this.#next === null;
    this.list.replaceChildren(...rows.map((row) => item(row)));
    this.#mark();
  }

  #mark() {
    const chosen = key(url.get("in") || url.get("part"), url.get("group"));
    for (const link of this.list.querySelectorAll("a")) {
      if (link.dataset.key === chosen) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    const isStrange = this.#next === null && this.#filters === JSON.stringify(wanted()) && this.group.isOpen &&
      !this.element.hasAttribute("aria-busy") && !this.list.querySelector("[aria-current]");
    const told = isStrange ? "The group below is not in the list: it does not fit what is asked for." : "";
    if (this.stranger.textContent !== told) this.stranger.textContent = told;
  }

  #key(event) {
    const by = { j: 1, k: -1 }[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    const links = [...this.list.querySelectorAll("a")];
    const at = links.findIndex((link) => link.hasAttribute("aria-current"));
    const next = links[at < 0 ? 0 : at + by];
    next?.click();
    next?.scrollIntoView({ block: "nearest" });
    if (by > 0 && at + 2 >= links.length && this.#next !== null) this.#ask(this.#next);
  }
}

function wanted() {
  return Object.fromEntries(FILTERS.map((name) => [name, url.get(name)]).filter(([, value]) => value !== ""));
}

function key(part, question) {
  return `${part} ${question}`;
}

function control(name, changed) {
  const value = url.get(name);
  if (name === "q") return h("input", { type: "search", name, value, input: changed });
  if (name.startsWith("min_") || name.startsWith("max_")) {
    return h("input", { type: "number", name, value, step: name.endsWith("calls") ? "1" : "0.1", input: changed });
  }
  const any = ["", name === "part" ? "all" : "any"];
  const choices = name === "result" ? Object.entries(RESULTS) : value ? [any, [value, value]] : [any];
  return h("select", { name, change: changed }, choices.map(([each, text]) => option(each, text, value)));
}

function fill(select, values, any) {
  const held = [...select.options].map((each) => each.value).join();
  const there = ["", ...values.map(String)];
  const chosen = select.value;
  if (chosen && !there.includes(chosen)) there.push(chosen);
  if (there.join() === held) return;
  select.replaceChildren(...there.map((value) => option(value, value || any, chosen)));
}

function item(row) {
  const { part, question_id: id, question, hops, specialty, pass_rate: rate, rewards, correct, hit } = row;
  const name = key(part, id);
  const range = rewards.filter((each) => each !== null);
  const span = range.length ? [Math.min(...range), Math.max(...range)].map((each) => each.toFixed(2)) : [];
  return h("li", {}, h("a", { "data-key": name, href: url.link({ ...url.all(), in: part, group: id, sample: hit?.sample ?? "" }),
    click: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      url.set({ in: part, group: id, sample: hit?.sample ?? "" }, { push: true });
    } },
    question ?? id,
    h("span", { class: "meta" }, h("span", {}, part),
      h("span", { class: "squares", title: `${correct.filter(Boolean).length} of ${correct.length} correct` },
        correct.map((each) =>
          (each === null ? h("b", {}, "·") : h("b", { class: each ? "good" : "bad" }, each ? "●" : "○")))),
      h("span", {}, share(rate)),
      h("span", {}, span[0] === span[1] ? `reward ${span[0] ?? "–"}` : `reward ${span.join("…")}`),
      hops === null ? null : h("span", {}, `${hops} hops, ${specialty}`)),
    hit ? h("span", { class: "hit" }, `sample ${hit.sample}, ${hit.where}: `, ...marked(hit.text, url.get("q"))) : null));
}

// `text` with each of the words of `query` marked.
export function marked(text, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [text];
  const pattern = new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "gi");
  return text.split(pattern).filter(Boolean).map((piece) =>
    (words.includes(piece.toLowerCase()) ? h("mark", {}, piece) : piece));
}
