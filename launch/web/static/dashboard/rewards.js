// What rewards are made of, over the steps and by part.

import { ask } from "./api.js";
import { h, table } from "./dom.js";
import { number, share } from "./format.js";
import { Panel } from "./panel.js";
import { Parts } from "./parts.js";
import { split } from "./split.js";
import * as url from "./url.js";

export class Rewards {
  #panel = new Panel();
  #table = h("div", {});

  constructor(app) {
    this.app = app;
    this.parts = new Parts(app, (figures) => this.#show(figures));
    this.element = h("div", {}, h("h2", {}, "Over the steps"), this.#panel.element, h("h2", {}, "By part"),
      h("p", { class: "note" }, "Means over the scored episodes of each part. The bar shows what each term adds, task and " +
        "expert, and what the penalty takes, weighted as configured."), this.#table);
  }

  update(fresh) {
    if (fresh) this.#draw();
    this.parts.refresh();
  }

  #draw() {
    const { metrics, about } = this.app, weights = about.settings?.weights;
    const points = (key, weight = 1) => metrics.points("grpo", key).map(([x, y]) => [x, y === null ? null : y * weight]);
    const terms = ["task", "expert", "efficiency"];
    this.#panel.show([
      { title: "Terms, unweighted", zero: true, series: terms.map((name) => ({
        name: name === "efficiency" ? "efficiency penalty" : name, points: points(`reward/${name}/mean`) })) },
      ...(weights ? [{ title: "What each term adds to the total", stacked: true, series: terms.slice(0, 2).map((name) => ({
        name, points: points(`reward/${name}/mean`, weights[name]) })) },
      { title: "What the penalty takes", zero: true, series: [{ name: "penalty",
        points: points("reward/efficiency/mean", weights.efficiency) }] }] : []),
      { title: "Total: mean and spread", zero: true, series: [
        { name: "mean", points: points("reward/total/mean") },
        { name: "standard deviation", points: points("reward/total/std") }] },
      { title: "Groups with equal rewards", zero: true, help: this.app.about.glossary["rollout/constant_groups"],
        series: [{ name: "share", points: points("rollout/constant_groups") }] },
      { title: "Episodes learnt from", zero: true, help: this.app.about.glossary["actor/samples"],
        series: [{ name: "episodes", points: points("actor/samples") }] },
    ]);
  }

  #show({ parts }) {
    const weights = this.app.about.settings?.weights;
    this.#table.replaceChildren(table(
      ["part", "episodes", "pass rate", "mixed groups", "total", "task", "expert", "penalty", "split"],
      Object.entries(parts).map(([name, { episodes, groups, mixed, pass_rate: passed, reward }]) => [
        h("th", { scope: "row" }, h("a", { href: url.link({ tab: "groups", part: name }) }, name)),
        number(episodes), share(passed), episodes > groups ? `${mixed} of ${groups}` : null, // one episode is never mixed
        ...["total", "task", "expert", "efficiency"].map((term) => (reward ? reward[term].toFixed(3) : "–")),
        h("td", {}, reward && weights ? split(reward, weights) : "–")])));
  }
}
