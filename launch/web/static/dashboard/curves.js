// Every metric that was logged, by family.

import { h } from "./dom.js";
import { meaning } from "./glossary.js";
import { counted } from "./metrics.js";
import { Panel } from "./panel.js";
import * as url from "./url.js";

const FAMILIES = ["reward", "rollout", "tools", "async", "actor", "rollout_corr", "sync", "timing_s", "perf",
  "curriculum", "sft", "eval"];

export class Curves {
  #panels = new Map();
  #shown = null;
  #sections = h("div", {});

  constructor(app) {
    this.app = app;
    this.search = h("input", { type: "search", name: "metric", value: url.get("metric"),
      placeholder: "part of a name or meaning", input: () => url.set({ metric: this.search.value }) });
    this.log = h("input", { type: "checkbox", name: "log", checked: url.get("log") === "1",
      change: () => url.set({ log: this.log.checked ? "1" : "" }) });
    this.smooth = h("input", { type: "range", name: "smooth", min: "0", max: "0.95", step: "0.05",
      value: url.get("smooth", "0"), input: () => url.set({ smooth: this.smooth.value === "0" ? "" : this.smooth.value }) });
    this.element = h("div", {}, h("form", { role: "search", submit: (event) => event.preventDefault() },
      h("label", {}, "Metric", this.search), h("label", { class: "row" }, this.log, "log scale"),
      h("label", {}, "Smoothing", this.smooth)), this.#sections);
  }

  navigate() {
    if (document.activeElement !== this.search) this.search.value = url.get("metric");
    this.log.checked = url.get("log") === "1";
    this.smooth.value = url.get("smooth", "0");
    this.update(true);
  }

  update(fresh) {
    if (!fresh) return;
    const { metrics, about } = this.app;
    const wanted = url.get("metric").toLowerCase().split(/\s+/).filter(Boolean);
    const options = { log: url.get("log") === "1", smooth: Number(url.get("smooth", "0")) };
    const families = new Map();
    for (const stage of metrics.stages) {
      for (const key of metrics.keys(stage)) {
        const help = meaning(about.glossary, key), text = `${key} ${help}`.toLowerCase();
        if (!wanted.every((word) => text.includes(word))) continue;
        const family = key.split("/")[0];
        if (!families.has(family)) families.set(family, []);
        families.get(family).push({ title: key, help, along: counted(stage), ...options,
          series: [{ name: key, points: metrics.points(stage, key) }] });
      }
    }
    const place = (family) => (FAMILIES.includes(family) ? FAMILIES.indexOf(family) : FAMILIES.length);
    const names = [...families.keys()].sort((a, b) => place(a) - place(b) || a.localeCompare(b));
    for (const name of names) {
      if (!this.#panels.has(name)) this.#panels.set(name, new Panel());
      this.#panels.get(name).show(families.get(name));
    }
    if (this.#shown === names.join()) return; // the charts stay where they are, with the reader's place in them
    this.#shown = names.join();
    this.#sections.replaceChildren(...names.map((name) => h("section", { "aria-label": name }, h("h2", {}, name),
      this.#panels.get(name).element)), ...(names.length ? [] : [h("p", { class: "note" },
      metrics.stages.length ? "No metric fits." : "Nothing is logged yet.")]));
  }
}
