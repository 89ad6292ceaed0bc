// The verdict at the foot of the window: which of two is better, or a score with its reasons.

import { make } from "./review_elements.js";

const CHOICES = [["first", "First is better", "1"], ["tie", "About the same", "0"], ["second", "Second is better", "2"]];
const CRITERIA = [
  ["supported", "Evidence supports the answer"], ["follows", "Search follows the question"],
  ["sourced", "A source is stated"], ["economical", "No needless calls"],
];
const TEN_WITHIN_MS = 900;

export class Verdict {
  // `save` is called with {score | preference, criteria, comment} when the rater has decided.
  constructor(root, save) {
    this.root = root;
    this.save = save;
  }

  show(item, kind, articles, given) {
    this.kind = kind;
    this.articles = articles;
    this.preference = given?.preference ?? null;
    this.score = given?.score ?? null;
    this.typedAt = -Infinity;
    this.comment = make("textarea", { id: "comment", maxLength: 4000, placeholder: kind === "preference" ? "Comment, if you like, before you choose" : "Comment, if you like", value: given?.comment ?? "" });
    this.comment.setAttribute("aria-label", "Comment");
    const rows = kind === "preference" ? [this.#choices()] : [this.#scores(), this.#criteria(given?.criteria[0] ?? {})];
    const last = make("div", { className: "row" }, this.comment);
    if (kind === "rating") {
      this.done = make("button", { type: "button", className: "primary", onclick: () => this.#finish() }, "Save and next ", make("kbd", { textContent: "Enter" }));
      last.append(this.done);
    }
    this.root.replaceChildren(make("div", {}, ...rows, last));
    articles.forEach((article, index) => {
      article.querySelector(".safety").checked = given?.criteria[index]?.safety_concern ?? false;
    });
    this.#mark();
  }

  // Whether the key meant something here.
  press(key) {
    if (this.kind === "preference") {
      const choice = CHOICES.find(([, , shortcut]) => shortcut === key);
      if (choice) this.#choose(choice[0]);
      return Boolean(choice);
    }
    if (/^\d$/.test(key)) {
      const ten = key === "0" && this.score === 1 && performance.now() - this.typedAt < TEN_WITHIN_MS;
      this.#setScore(ten ? 10 : Number(key));
      this.typedAt = performance.now();
      return true;
    }
    if (key === "Enter") this.#finish();
    return key === "Enter";
  }

  #choices() {
    this.buttons = CHOICES.map(([value, text, shortcut]) =>
      make("button", { type: "button", value, onclick: () => this.#choose(value) }, `${text} `, make("kbd", { textContent: shortcut })));
    return make("div", { className: "choices" }, ...this.buttons);
  }

  #scores() {
    this.buttons = Array.from({ length: 11 }, (_, score) =>
      make("button", { type: "button", value: String(score), textContent: String(score), onclick: () => this.#setScore(score) }));
    return make("div", { className: "scores", role: "group", ariaLabel: "Score from 0 to 10" },
      make("span", { textContent: "useless" }), ...this.buttons, make("span", { textContent: "as I would have done it" }));
  }

  #criteria(given) {
    const sets = CRITERIA.map(([name, text]) => {
      const choice = (value, label) => make("label", {},
        make("input", { type: "radio", name, value: String(value), checked: given[name] === value }), ` ${label}`);
      return make("fieldset", {}, make("legend", { textContent: text }), choice(true, "yes"), choice(false, "no"));
    });
    return make("div", { className: "criteria" }, ...sets);
  }

  #choose(preference) {
    this.preference = preference;
    this.#mark();
    this.#finish();
  }

  #setScore(score) {
    this.score = score;
    this.#mark();
  }

  #mark() {
    const value = this.kind === "preference" ? this.preference : this.score;
    for (const button of this.buttons) {
      const chosen = value !== null && button.value === String(value);
      button.classList.toggle("chosen", chosen);
      button.setAttribute("aria-pressed", String(chosen));
    }
    this.articles.forEach((article, index) => article.classList.toggle("preferred", this.preference === ["first", "second"][index]));
    if (this.kind === "rating") this.done.disabled = this.score === null;
  }

  #finish() {
    if (this.kind === "rating" && this.score === null) return;
    const criteria = this.articles.map((article) =>
      article.querySelector(".safety").checked ? { safety_concern: true } : {});
    for (const input of this.root.querySelectorAll(".criteria input:checked")) criteria[0][input.name] = input.value === "true";
    const value = this.kind === "preference" ? { preference: this.preference } : { score: this.score };
    this.save({ ...value, criteria, comment: this.comment.value.trim() });
  }
}
