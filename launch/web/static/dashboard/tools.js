// The tools: over the steps, and from the episodes themselves.

import { h, option, table } from "./dom.js";
import { number, seconds, share } from "./format.js";
import { Panel } from "./panel.js";
import { Parts } from "./parts.js";
import * as url from "./url.js";

const FIGURES = { calls: "Calls", error_rate: "Share refused as mistakes", latency_p95: "Latency, 95th percentile, s",
  cache_hit: "Share answered from the cache" };

export class Tools {
  #panel = new Panel();
  #table = h("div", {});
  #figures = null;

  constructor(app) {
    this.app = app;
    this.parts = new Parts(app, (figures) => this.#show(figures));
    this.part = h("select", { name: "part", change: () => url.set({ part: this.part.value }) });
    this.element = h("div", {}, h("h2", {}, "Over the steps"), this.#panel.element, h("h2", {}, "From the episodes"),
      h("form", {}, h("label", {}, "Part", this.part)),
      h("p", { class: "note" }, "Every name that the policy called, also those that are no tool: all of their calls are " +
        "mistakes. Latency is that of the call as the episode saw it. A call is answered from the cache where the same call " +
        "had been made before: its answer was known, and the tool was not asked again."), this.#table);
  }

  navigate() {
    if (this.#figures) this.#show(this.#figures);
  }

  update(fresh) {
    if (fresh) this.#draw();
    this.parts.refresh();
  }

  #draw() {
    const { metrics, about } = this.app;
    const keys = metrics.keys("grpo", "tools/");
    this.#panel.show(Object.entries(FIGURES).map(([figure, title]) => ({ title, zero: true, stacked: figure === "calls",
      help: about.glossary[`tools/<name>/${figure}`], series: keys.filter((key) => key.endsWith(`/${figure}`)).map((key) => ({
        name: key.split("/").slice(1, -1).join("/"), points: metrics.points("grpo", key) })) })));
  }

  #show(figures) {
    this.#figures = figures;
    const part = url.get("part");
    this.part.replaceChildren(option("", "all", part), ...Object.keys(figures.parts).map((name) => option(name, name, part)));
    const tools = Object.entries((part ? figures.parts[part] : figures.all)?.tools ?? {});
    tools.sort(([, a], [, b]) => b.calls - a.calls);
    this.#table.replaceChildren(table(["tool", "calls", "mistakes", "from the cache", "latency, median", "latency, p95"],
      tools.map(([name, each]) => [
        h("th", { scope: "row" }, h("a", { href: url.link({ tab: "groups", part, tool: name }) }, name)), number(each.calls),
        share(each.error_rate), share(each.cache_hit), seconds(each.latency_p50), seconds(each.latency_p95)])));
  }
}
