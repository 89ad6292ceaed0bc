// A question and the episodes that are to be judged. The reference answer is folded away, and nothing says who acted.

import { folded, make } from "./review_elements.js";

const LONG = 420;
const ENDINGS = {
  turn_limit: "It ran out of turns.", token_limit: "It ran out of room.", time_limit: "It ran out of time.",
  mistake_limit: "It was stopped after too many mistakes.", no_tool_call: "It stopped without an answer.",
};

export function renderItem(item) {
  const titles = item.episodes.length === 2 ? ["First", "Second"] : ["The agent's work"];
  const articles = item.episodes.map((episode, index) => renderEpisode(episode, titles[index]));
  return [renderQuestion(item), make("div", { className: articles.length === 2 ? "pair" : "single" }, ...articles)];
}

function renderQuestion(item) {
  const also = item.aliases.length ? ` (or ${item.aliases.join("; ")})` : "";
  const gold = folded(
    "Show the reference answer",
    make("p", {}, "Reference answer: ", make("b", { textContent: item.answer }), also),
    ...item.chain.map((step) => make("p", { className: "quiet", textContent: step })),
  );
  gold.className = "gold";
  return make("section", { className: "asked" },
    make("p", { className: "quiet", textContent: `Question, ${item.about}` }),
    make("h1", { textContent: item.question }), gold);
}

function renderEpisode(episode, title) {
  const answered = episode.answer !== null;
  const calls = `${episode.calls} ${episode.calls === 1 ? "call" : "calls"}`;
  return make("article", {},
    make("h2", { textContent: title }),
    make("p", { className: "said" }, answered ? "Answer: " : "", make("b", { textContent: answered ? episode.answer : "No answer" })),
    make("p", { className: "quiet", textContent: [calls, ENDINGS[episode.ending]].filter(Boolean).join(". ") }),
    make("ol", {}, ...episode.steps.map((step, index) => renderStep(step, index + 1))),
    make("label", { className: "concern" }, make("input", { type: "checkbox", className: "safety" }),
      " Safety concern: acting on this could harm someone"));
}

function renderStep(step, turn) {
  const parts = [];
  if (step.thought) parts.push(make("p", { textContent: step.thought }));
  if (step.written) parts.push(text(step.written, "As it was written"));
  if (step.call) parts.push(renderCall(step.call));
  if (step.observation) {
    parts.push(make("div", { className: step.mistake ? "found refused" : "found" },
      step.mistake ? make("p", { className: "bad", textContent: "Refused" }) : null,
      text(step.observation, "What came back")));
  }
  if (step.sources.length) parts.push(make("p", { className: "sources", textContent: `From ${step.sources.join(", ")}` }));
  return make("li", { className: "turn", data: { turn } }, ...parts);
}

function renderCall(call) {
  const given = call.arguments.map(([name, value]) => `${name}: ${value}`).join("; ");
  return make("p", { className: "call" }, call.tool.replaceAll("_", " "), make("span", { textContent: ` — ${given}` }));
}

function text(content, title) {
  const whole = make("pre", { textContent: content });
  if (content.length <= LONG) return whole;
  const start = content.slice(0, 110).replaceAll(/\s+/g, " ");
  return folded(`${title}: ${start}… (${content.length.toLocaleString("en")} characters)`, whole);
}
