// What the curriculum draws, and what it believes of each number of hops.

import { h } from "./dom.js";
import { Panel } from "./panel.js";

export class Curriculum {
  #panel = new Panel();

  constructor(app) {
    this.app = app;
    this.element = h("div", {}, h("p", { class: "note" }, "Questions are drawn by their number of hops, more of those " +
      "whose believed pass rate is near the target."), this.#panel.element);
  }

  update(fresh) {
    if (!fresh) return;
    const { metrics } = this.app;
    const series = (kind) => metrics.keys("grpo", `curriculum/${kind}/`).map((key) => ({
      name: `${key.split("/").at(-1)} hops`, points: metrics.points("grpo", key) }));
    this.#panel.show([
      { title: "Share of draws", stacked: true, series: series("share") },
      { title: "Believed pass rate", zero: true, series: series("pass_rate") },
      { title: "Times through the questions", zero: true, series: series("epoch") },
    ]);
  }
}
