// One group: its episodes side by side, turn by turn, as steps or as tokens.

import { ask } from "./api.js";
import { h, option } from "./dom.js";
import { number, seconds, share, signed, tied } from "./format.js";
import { marked } from "./groups.js";
import { split } from "./split.js";
import { OVERLAYS, legend, tokens } from "./tokens.js";
import * as url from "./url.js";

const LONG = 320;

export class Group {
  #shown = null;
  #asked = null;

  constructor(app) {
    this.app = app;
    this.element = h("section", { "aria-label": "Group" }, none());
  }

  // Whether a group is open; not where it is still asked for, or could not be had.
  get isOpen() {
    return this.element.querySelector(".side") !== null;
  }

  async navigate() {
    const part = url.get("in") || url.get("part"), question = url.get("group"), view = url.get("view", "steps");
    const wanted = url.get("overlay"), words = url.get("q");
    const shown = JSON.stringify([part, question, view, wanted, words, url.get("sample")]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#asked?.abort();
    if (!part || !question) {
      this.element.replaceChildren(none());
      return;
    }
    const asked = (this.#asked = new AbortController());
    try {
      const group = await ask("group", { part, question }, asked.signal);
      const lists = view === "tokens" ? await this.#tokens(group, asked.signal) : null;
      const overlay = wanted || (lists?.some((list) => list.recorded) ? "ratio"
        : lists?.some((list) => list.advantage !== null) ? "advantage" : "sampler");
      if (this.#shown === shown) this.#show(group, view, overlay, lists);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.#shown = null; // asked again at the next look: it may be indexed, or whole, by then
      this.element.replaceChildren(h("p", { class: "note", role: "alert" }, error.message));
    }
  }

  async #tokens({ part, question_id: question, episodes }, signal) {
    return Promise.all(episodes.map(({ sample }) => ask("tokens", { part, question, sample }, signal)));
  }

  #show(group, view, overlay, lists) {
    const { part, question_id: id, question, episodes, left_out: leftOut } = group;
    const turns = Math.max(...episodes.map(({ steps }) => steps.length));
    const side = h("div", { class: "side", role: "group", "aria-label": "Episodes, side by side" });
    const least = (lists ?? []).flatMap((list) => list.version).reduce((a, b) => (b === null || a < b ? a : b), Infinity);
    side.append(...episodes.map((episode, at) => this.#episode(episode, turns,
      lists && tokens(lists[at], overlay, this.app.about.settings?.clip, least))));
    const scored = episodes.filter(({ correct }) => correct !== null), passed = scored.filter(({ correct }) => correct).length;
    this.element.replaceChildren(...[
      h("h2", {}, question?.text ?? id),
      h("p", { class: "quiet" }, `${part} · ${id}${question ? ` · ${question.hops} hops · ${question.specialty}` : ""} · ` +
        (scored.length ? `${passed} of ${scored.length} correct (${share(passed / scored.length)})` : "not scored")),
      question ? h("p", {}, "Gold answer: ", h("b", {}, question.answer),
        question.aliases.length ? h("small", {}, ` (or ${question.aliases.join("; ")})`) : null) :
        h("p", { class: "note" }, "The run's questions hold none of this id; its text is in the prompt, among the tokens."),
      question?.relations.length ? h("p", { class: "chain" }, question.relations[0].subject.name,
        question.relations.map(({ predicate, object }) =>
          [" → ", h("i", {}, predicate.replaceAll("_", " ")), ` ${object.name}`])) : null,
      leftOut && part.startsWith("grpo-") ? h("p", { class: "note" }, "All right or all wrong: the learner left this group " +
        "out, as grpo.learn_from is mixed.") : null,
      this.#switch(view, overlay),
      ...(lists ? [notes(lists), legend(overlay, lists, this.app.about.settings?.clip)] : []), side].filter(Boolean));
    side.querySelector(".chosen")?.scrollIntoView({ block: "nearest" });
  }

  #switch(view, overlay) {
    const button = (name, text) => h("button", { type: "button", "aria-pressed": String(view === name),
      click: () => url.set({ view: name === "steps" ? "" : name }) }, text);
    return h("form", { "aria-label": "View of the episodes", submit: (event) => event.preventDefault() },
      button("steps", "Steps"), button("tokens", "Tokens"),
      view === "tokens" ? h("label", { class: "row" }, "Colour by", h("select", { name: "overlay",
        change: (event) => url.set({ overlay: event.target.value }) },
      Object.entries(OVERLAYS).map(([name, text]) => option(name, text, overlay)))) : null);
  }

  #episode(episode, turns, listed) {
    const { sample, correct, answer, reward, ending, advantage, calls, tokens: total, action_tokens: acted } = episode;
    const weights = this.app.about.settings?.weights;
    const verdict = correct === null ? "not scored" : correct ? "✓ correct" : "✗ not correct";
    const chosen = url.get("sample") === String(sample);
    const head = h("div", {},
      h("h4", {}, h("a", { href: url.link({ ...url.all(), sample }), title: "choose this episode: its address shows it",
        click: (event) => {
          event.preventDefault();
          url.set({ sample: chosen ? "" : sample });
        } }, `Sample ${sample}`), " ", h("b", { class: correct === null ? "" : correct ? "good" : "bad" }, verdict)),
      h("div", {}, "Answer: ", h("b", {}, answer ?? "none")),
      reward ? h("div", { title: "task, expert and efficiency penalty, each 0 to 1" },
        weights ? split(reward, weights) : null, h("b", {}, reward.total.toFixed(2)),
        h("small", {}, ` ${["task", "expert"].map((term) => tied(`${term} ${number(reward[term], 3)}`)).join(", ")}, ` +
          tied(`penalty ${number(reward.efficiency, 3)}`))) : null,
      advantage === null ? null : h("div", {}, "Advantage ",
        h("b", { class: advantage > 0 ? "good" : advantage < 0 ? "bad" : "" }, signed(advantage))),
      h("div", { class: "quiet" }, facts([ending.replaceAll("_", " "), `${calls} calls`,
        `${number(acted)} of ${number(total)} tokens sampled`, seconds(episode.duration_s)])));
    const article = h("article", { class: chosen ? "chosen" : "", "data-sample": sample }, head);
    if (listed) {
      article.append(listed);
      article.style.gridRow = "span 2";
      return article;
    }
    for (let at = 0; at < turns; at += 1) article.append(at < episode.steps.length ? turn(episode.steps[at], at) : h("div", {}));
    article.append(state(episode.state));
    article.style.gridRow = `span ${turns + 2}`;
    return article;
  }
}

function none() {
  return h("p", { class: "note" }, "Choose a group from the list, or press j.");
}

// Beside each other; a line breaks between them alone.
function facts(each) {
  return each.filter(Boolean).map(tied).join(" · ");
}

function notes(lists) {
  const told = new Set(lists.flatMap((list) => list.notes));
  const unrecorded = lists.filter((list) => !list.recorded).length;
  if (lists.every((list) => !list.recorded && list.advantage === null)) {
    told.add("Nothing was learnt from these episodes, so there is neither ratio nor advantage.");
  } else if (unrecorded === lists.length) {
    told.add("The learner's log-probs were not recorded for these episodes, so there is no ratio: advantages are those " +
      "of the rewards, log-probs those of the sampler.");
  } else if (unrecorded) {
    told.add(`${unrecorded} of ${lists.length} episodes were not learnt from; they have no ratio.`);
  }
  return h("div", {}, [...told].map((text) => h("p", { class: "note" }, text)));
}

function turn({ text, call, observation, status, sources, latency_s: latency, cached, choice, corruption }, at) {
  const thought = /<think>([\s\S]*?)<\/think>/.exec(text)?.[1].trim() ?? "";
  const told = [sources.length ? `Sources: ${sources.join(", ")}` : null, call ? `took ${seconds(latency)}` : null, cached ? "answered from the cache" : null,
    choice === null ? null : `choice P = ${number(choice, 2)}`, corruption ? `spoilt: ${corruption}` : null];
  return h("div", { class: "turn" },
    thought ? part("thought", `Turn ${at + 1}: thought`, thought) : null,
    call ? part("call", "Call", `${call.name} ${JSON.stringify(call.arguments)}`)
      : status !== "answer" || !thought ? part("thought", `Turn ${at + 1} as written`, text)
        : part("call", "Answer", /<answer>([\s\S]*?)<\/answer>/.exec(text)?.[1].trim() ?? text),
    observation ? part("observation", status === "ok" ? "Observation" : "Observation, a mistake", observation) : null,
    h("p", { class: "quiet" }, told.filter(Boolean).join(" · ")));
}

function part(kind, name, text) {
  const shown = () => marked(text, url.get("q"));
  if (text.length <= LONG) return h("div", { class: kind }, h("span", {}, name), h("pre", {}, shown()));
  return h("details", { class: kind }, h("summary", {}, h("span", {}, name), ` ${text.slice(0, 110)}… `,
    h("small", {}, `(${number(text.length)} characters)`)), h("pre", {}, shown()));
}

function state({ facts, hypotheses, paths }) {
  if (!facts.length && !hypotheses.length) return h("div", {});
  return h("details", { class: "turn" },
    h("summary", {}, `State: facts ${facts.length}, hypotheses ${hypotheses.length}, paths ${paths.length}`),
    h("ul", {}, facts.map(({ subject, predicate, object, source, turn: at }) =>
      h("li", {}, `${subject} — ${predicate} → ${object} `, h("small", {}, `${source}, turn ${at}`)))),
    h("ul", {}, hypotheses.map(({ name, status, reason, turn: at, probability }) => h("li", {}, h("b", {}, name),
      ` ${status}${probability === null ? "" : `, P = ${number(probability, 2)}`}: ${reason} `, h("small", {}, `turn ${at}`)))),
    h("ul", {}, paths.map((path) => h("li", {}, path.join(" → ")))));
}
