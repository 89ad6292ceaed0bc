// Several charts beside each other, which stay in place while their data grows.

import { Chart } from "./chart.js";
import { h } from "./dom.js";

export class Panel {
  #charts = new Map();
  element = h("div", { class: "charts" });

  // `wanted`: [{title, series, help, stacked, zero, log, smooth, along}]
  show(wanted) {
    const titles = new Set(wanted.map(({ title }) => title));
    for (const [title, chart] of this.#charts) {
      if (!titles.has(title)) {
        chart.element.remove();
        this.#charts.delete(title);
      }
    }
    wanted.forEach(({ title, series, ...options }, at) => {
      if (!this.#charts.has(title)) this.#charts.set(title, new Chart(title, options));
      const chart = Object.assign(this.#charts.get(title), options);
      chart.show(series);
      if (this.element.children[at] !== chart.element) this.element.insertBefore(chart.element, this.element.children[at]);
    });
    return this;
  }
}
