// One sample of a question: what the agent thinks, calls and reads, turn by turn.

import { element } from "./elements.js";

export class Sample {
  constructor(number) {
    this.number = number;
    this.turns = new Map();
    this.list = element("ol");
    this.outcome = element("span");
    const name = number === 0 ? "Sample 1, greedy " : `Sample ${number + 1} `;
    this.root = element("details", { class: "sample", open: number === 0 }, element("summary", { text: name }, this.outcome), this.list);
  }

  hear(event) {
    switch (event.type) {
      case "began":
        this.turns.clear();
        this.list.replaceChildren();
        this.outcome.textContent = event.attempt ? "something under it failed, it begins again …" : "at work …";
        break;
      case "said":
        this.turn(event.turn).replaceChildren(line("…", event.text, "live"));
        break;
      case "acted":
        this.turn(event.turn).replaceChildren(...acted(event));
        break;
      case "observed":
        this.turn(event.turn).append(...observed(event, this.number === 0));
        break;
      case "ended":
        this.outcome.textContent = event.answer === null ? `no answer (${words(event.ending)})` : event.answer;
        break;
      case "failed":
        this.outcome.textContent = `could not be played: ${event.reason}`;
    }
  }

  turn(number) {
    if (!this.turns.has(number)) {
      const item = element("li", { class: "turn" });
      this.turns.set(number, item);
      this.list.append(item);
    }
    return this.turns.get(number);
  }
}

function acted({ thought, call, answer, written }) {
  const said = thought ? [line("thinks", thought)] : [];
  if (call !== null) return [...said, line("calls", `${call.name} ${JSON.stringify(call.arguments)}`, "call")];
  if (answer !== null) return [...said, line("answers", answer, "final")];
  return [line("writes", written)];
}

function observed({ status, text, passages }, open) {
  if (status !== "ok" || passages.length === 0) return [line(status === "ok" ? "reads" : "is told", text, "live")];
  return passages.map(({ document, title, text, is_untrusted }) =>
    element("details", { open, "data-document": document, tabindex: "-1" },
      element("summary", {},
        element("code", { class: "source", text: document }), " ",
        is_untrusted ? element("span", { class: "mark", text: "untrusted source " }) : null,
        element("span", { text: title })),
      element("p", { text })));
}

function line(label, text, kind = "") {
  return element("p", {}, element("span", { class: "label", text: label }), element("span", { class: kind, text }));
}

function words(name) {
  return name.replaceAll("_", " ");
}
