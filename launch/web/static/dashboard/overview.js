// How the run does: where it stands, its headline, and the curves that say most.

import { h, table } from "./dom.js";
import { number, seconds, share } from "./format.js";
import { counted } from "./metrics.js";
import { Panel } from "./panel.js";

const MODELS = { base: "Base", sft: "SFT", rl: "SFT + RL" };

export class Overview {
  #facts = h("dl", { class: "facts" });
  #headline = h("section", {});
  #stages = h("section", {});
  #panel = new Panel();

  constructor(app) {
    this.app = app;
    this.element = h("div", {}, this.#facts, this.#headline, h("h2", {}, "Training"), this.#panel.element, this.#stages);
  }

  update(fresh) {
    const { metrics, live } = this.app;
    const last = metrics.last("grpo"), sft = metrics.last("sft");
    const facts = {
      "pass rate, last step": share(last["rollout/pass_rate"]),
      "reward, last step": number(last["reward/total/mean"], 3),
      "tool calls an episode": number(last["rollout/tool_calls"], 3),
      "time of a step": seconds(last["timing_s/step"]),
      "learner idle": share(last["perf/learner_idle"]),
      "fine-tuning loss": number(sft["sft/loss"], 3),
      "episodes on disk": number(live.indexed.episodes),
    };
    this.#facts.replaceChildren(...Object.entries(facts).filter(([, value]) => value !== "–").map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, value))));
    this.#headline.replaceChildren(...(live.summary ? headline(live.summary) : []));
    if (fresh) this.#draw();
    const stages = Object.entries(live.stages);
    this.#stages.replaceChildren(...(stages.length ? [h("h2", {}, "Finished stages"),
      table(["stage", "wall time"], stages.map(([name, wall]) => [name, seconds(wall)]))] : []));
  }

  #draw() {
    const { metrics } = this.app;
    const chart = (title, keys, options = {}, stage = "grpo") => ({ title, along: counted(stage), ...options,
      series: Object.entries(keys).map(([name, key]) => ({ name, points: metrics.points(stage, key) })) });
    this.#panel.show([
      chart("Pass rate and answers", { "pass rate": "rollout/pass_rate", answered: "rollout/answered" }, { zero: true }),
      chart("Reward", { total: "reward/total/mean", task: "reward/task/mean", expert: "reward/expert/mean" },
        { zero: true }),
      chart("Tool calls and turns", { calls: "rollout/tool_calls", turns: "rollout/turns" }, { zero: true }),
      chart("Entropy of the policy", { entropy: "actor/entropy" }, { zero: true }),
      chart("Fine-tuning loss", { loss: "sft/loss" }, { zero: true }, "sft"),
      chart("Time of a step", { seconds: "timing_s/step" }, { zero: true }),
    ]);
  }
}

function headline(summary) {
  const models = Object.entries(MODELS).filter(([key]) => summary[key]);
  const interval = (entry) => (entry ? [`${entry.pass_at_1.toFixed(3)} `,
    h("small", {}, `[${entry.ci95.map((bound) => bound.toFixed(3)).join(", ")}]`)] : "–");
  const rows = models.map(([key, name]) => [name, h("td", {}, interval(summary[key].greedy)),
    h("td", {}, interval(summary[key].sampled)), number(summary[key].mean_tool_calls, 3), number(summary[key].n)]);
  return [h("h2", {}, "Evaluation"),
    table(["model", "pass@1, greedy", "pass@1, sampled", "tool calls", "questions"], rows),
    h("p", { class: "note" }, "In brackets: 95% intervals. Held-out questions.")];
}
