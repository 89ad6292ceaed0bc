// The page /ask: a box for a question, what the agent does about it, and what was asked before in this tab.

import { answerCard } from "./ask-answer.js";
import { Sample } from "./ask-sample.js";
import { ask } from "./ask-stream.js";
import { element } from "./elements.js";

const part = Object.fromEntries(
  ["agent", "statement", "form", "question", "samples", "send", "stop", "status", "shown", "history", "questions"].map(
    (id) => [id, document.getElementById(id)]));
const LONG = 300; // letters of a question that are shown; what is longer is folded away
let running = null; // the AbortController of the question under way

class Asked {
  constructor(question, samples) {
    this.samples = new Map();
    this.expected = samples;
    this.finished = 0;
    this.result = element("div");
    this.steps = element("div");
    this.root = element("section", { class: "asked", "aria-label": "Asked" },
      element("h2", { text: shortened(question) }),
      question.length > LONG ? element("details", {}, element("summary", { text: "The whole question" }), element("p", { class: "whole", text: question })) : null,
      element("p", { class: "quiet" }, element("a", { href: link(question), text: "Link to this question" })),
      this.result, element("h3", { text: "How the agent got there" }), this.steps);
    this.note = element("span", { text: "under way" });
    this.button = element("button", { type: "button", text: shortened(question) }, this.note);
    this.button.addEventListener("click", () => show(this));
  }

  hear(event) {
    if (event.type === "report") {
      this.result.replaceChildren(answerCard(event, (id) => this.point(id)));
      this.note.textContent = event.answer === null ? "no answer" : `${event.answer} (${event.votes} of ${event.samples})`;
      const doubt = event.is_sure ? "" : "Unsure. ";
      say(event.answer === null ? event.confidence : `${doubt}Answer: ${event.answer} (${event.votes} of ${event.samples} samples).`);
      return;
    }
    this.sample(event.sample).hear(event);
    if (event.type === "ended" || event.type === "failed") this.finished += 1;
    const progress = this.expected > 1 ? ` ${this.finished} of ${this.expected} samples done.` : "";
    if (event.type !== "said") say(`The agent is at work.${progress}`, true);
  }

  sample(number) {
    if (!this.samples.has(number)) {
      const made = new Sample(number);
      this.samples.set(number, made);
      const after = [...this.samples.values()].filter((each) => each.number > number).sort((a, b) => a.number - b.number)[0];
      this.steps.insertBefore(made.root, after?.root ?? null);
    }
    return this.samples.get(number);
  }

  // Show where a document was read.
  point(id) {
    const place = [...this.steps.querySelectorAll("[data-document]")].find((each) => each.dataset.document === id);
    if (!place) return;
    this.root.querySelectorAll(".found").forEach((each) => each.classList.remove("found"));
    for (let each = place; each && each !== this.steps; each = each.parentElement) if (each.tagName === "DETAILS") each.open = true;
    place.classList.add("found");
    place.scrollIntoView({ block: "center" });
    place.focus({ preventScroll: true });
  }
}

async function submit(event) {
  event.preventDefault();
  const question = part.question.value.trim();
  if (running) return;
  if (!question) {
    say("Write a question first.");
    part.question.focus();
    return;
  }
  const samples = part.samples.valueAsNumber;
  const asked = new Asked(question, samples);
  part.questions.prepend(element("li", {}, asked.button));
  part.history.hidden = false;
  show(asked);
  history.replaceState(null, "", link(question));
  running = new AbortController();
  busy(true);
  say("The question is sent; the agent begins when there is room.", true);
  try {
    await ask(question, samples, running.signal, (each) => asked.hear(each));
  } catch (error) {
    const stopped = error.name === "AbortError";
    asked.note.textContent = stopped ? "stopped" : "failed";
    asked.result.replaceChildren(element("p", { class: "bad", text: stopped ? "Stopped." : `No answer: ${error.message}` }));
    say(stopped ? "Stopped." : `The question failed: ${error.message}`);
  } finally {
    running = null;
    busy(false);
  }
}

function busy(is) {
  part.send.disabled = is;
  part.send.hidden = is;
  part.stop.hidden = !is;
}

function say(text, working = false) {
  if (part.status.textContent !== text) part.status.textContent = text; // else it would be read out again
  part.status.classList.toggle("busy", working);
}

function show(asked) {
  part.shown.replaceChildren(asked.root);
  part.questions.querySelectorAll("[aria-current]").forEach((each) => each.removeAttribute("aria-current"));
  asked.button.setAttribute("aria-current", "true");
}

function shortened(question) {
  return question.length > LONG ? `${[...question].slice(0, LONG).join("").trimEnd()}…` : question; // by whole letters
}

function link(question) {
  return `/ask?${new URLSearchParams({ q: question })}`;
}

function stop() {
  running?.abort();
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") stop();
  if (event.key === "/" && !["TEXTAREA", "INPUT"].includes(document.activeElement.tagName)) {
    event.preventDefault();
    part.question.focus();
  }
});
part.question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    part.form.requestSubmit();
  }
});
part.form.addEventListener("submit", submit);
part.stop.addEventListener("click", stop);

const about = await (await fetch("/api/agent")).json();
part.agent.textContent = about.name;
part.statement.textContent = about.statement;
part.samples.value = about.samples;
part.samples.max = about.most_samples;
const linked = new URLSearchParams(location.search).get("q");
if (linked) {
  part.question.value = linked; // asked by whoever came here, never by the link itself
  say("This question came with the link: Enter asks it.");
}
part.question.focus();
