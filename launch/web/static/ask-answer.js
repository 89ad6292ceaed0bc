// What comes of a question: the answer, the documents behind it, and how many samples agree.

import { drawing, element } from "./elements.js";

// `onSource(id)` is called for a document that one wants to see.
export function answerCard(report, onSource) {
  const kind = report.answer === null ? "answer none" : report.is_sure ? "answer" : "answer unsure";
  return element("section", { class: kind, "aria-label": "Answer", tabindex: "-1" },
    element("p", { class: "said", text: report.answer ?? "No answer was found" }),
    element("p", { text: report.confidence }),
    report.samples > 1 ? votes(report) : null,
    ...differing(report),
    report.calibration ? element("p", { text: report.calibration }) : null,
    report.failed.length ? element("p", { class: "bad", text: `${report.failed.length} could not be played: ${report.failed[0]}` }) : null,
    ...citations(report.citations, onSource),
    element("p", { class: "statement", text: report.statement }),
    element("p", { class: "quiet", text: spent(report) }));
}

function votes(report) {
  const { samples } = report;
  const rows = report.rivals.map(({ answer, votes }) => row(answer, votes, samples, "rival"));
  if (report.answer !== null) rows.unshift(row(report.answer, report.votes, samples, "leads", [report.low, report.high]));
  if (report.silent) rows.push(row("no answer", report.silent, samples, "silent"));
  return element("table", { class: "votes", "aria-label": "Answers of the samples" }, element("tbody", {}, ...rows));
}

function row(answer, votes, samples, kind, interval = null) {
  const bar = drawing("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    drawing("rect", { class: "back", width: 100, height: 10 }),
    drawing("rect", { class: "bar", width: (100 * votes) / samples, height: 10 }),
    interval ? drawing("path", { class: "interval", d: whisker(interval), "vector-effect": "non-scaling-stroke" }) : null);
  return element("tr", { class: kind },
    element("th", { scope: "row", text: answer }), element("td", {}, bar), element("td", { text: `${votes} of ${samples}` }));
}

function whisker([low, high]) {
  const [from, to] = [100 * low, 100 * high];
  return `M${from} 2V8M${from} 5H${to}M${to} 2V8`;
}

function differing({ differs, shown }) {
  if (!differs) return [];
  const said = shown === null ? "gave no answer" : `says ${shown}`;
  return [element("p", { text: `The greedy sample ${said}; the answer is what most samples say.` })];
}

function citations(found, onSource) {
  if (!found.length) return [element("p", { class: "quiet", text: "No document that was retrieved shows this answer." })];
  return [element("h4", { text: "Sources" }),
    element("ol", { class: "citations" }, ...found.map((each) => {
      const button = element("button", { class: "source", type: "button", text: each.document, title: "Show where it was read" });
      button.addEventListener("click", () => onSource(each.document));
      const why = [each.shows_answer ? "shows the answer" : "", each.is_named ? "named by the agent" : ""].filter(Boolean).join(", ");
      const count = each.samples === 1 ? "1 sample" : `${each.samples} samples`;
      return element("li", {}, button, " ",
        each.is_untrusted ? element("b", { class: "mark", text: "untrusted source " }) : null,
        element("span", { text: each.text }), " ",
        element("small", { text: `(${why}; ${count})` }));
    }))];
}

function spent({ seconds, usage }) {
  return `${seconds.toFixed(1)} s, ${usage.completion_tokens.toLocaleString("en")} tokens sampled, ${usage.prompt_tokens.toLocaleString("en")} read`;
}
