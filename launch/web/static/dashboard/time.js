// Where a step's time goes, who waits for whom, and how old the policy is that learns.

import { h } from "./dom.js";
import { meaning } from "./glossary.js";
import { Panel } from "./panel.js";

export class Time {
  #panel = new Panel();

  constructor(app) {
    this.app = app;
    this.element = h("div", {}, h("p", { class: "note" }, "A step is the wait for its groups, learning, handing on the " +
      "weights, and the checkpoint of the step before. The learner is idle outside learning; sampling goes on under it " +
      "unless the schedule is sync."), this.#panel.element);
  }

  update(fresh) {
    if (!fresh) return;
    const { metrics, about } = this.app;
    const all = (prefix) => metrics.keys("grpo", prefix).filter((key) => key !== "timing_s/step");
    const series = (keys) => keys.map((key) => ({ name: key.split("/").slice(1).join("/"),
      points: metrics.points("grpo", key) }));
    const one = (key) => ({ title: key, help: meaning(about.glossary, key), zero: true, series: series([key]) });
    this.#panel.show([
      { title: "A step's time, seconds", stacked: true, series: series(all("timing_s/")) },
      { title: "Staleness, policy versions", zero: true, help: about.glossary["async/staleness_mean"],
        series: series(all("async/staleness")) },
      ...[...all("async/").filter((key) => !key.startsWith("async/staleness")), ...all("perf/"), ...all("sync/"),
        "actor/tokens_per_second", "rollout/duration_s", "rollout/outages"].map(one),
    ]);
  }
}
