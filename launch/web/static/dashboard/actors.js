// The run's processes, by health.json.

import { h, table } from "./dom.js";
import { bytes, number, seconds, share } from "./format.js";

export class Actors {
  constructor(app) {
    this.app = app;
    this.element = h("div", {});
  }

  update() {
    this.element.replaceChildren(...(this.app.live.health ? health(this.app.live.health) : [h("p", { class: "note" },
      "No health.json in the run directory: it is written while a run has actors.")]));
  }
}

function health(found) {
  return [h("pre", {}, JSON.stringify(found))];
}
