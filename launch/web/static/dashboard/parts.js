// Figures of each part's episodes, asked for again when more are indexed.

import { ask } from "./api.js";

export class Parts {
  #seen = null;
  #busy = false;

  constructor(app, show) {
    this.app = app;
    this.show = show;
  }

  async refresh() {
    const { read } = this.app.live.indexed;
    if (this.#busy || this.#seen === read) return;
    this.#busy = true;
    try {
      const figures = await ask("parts");
      this.#seen = read;
      this.show(figures);
    } catch (error) {
      this.app.complain(error);
    } finally {
      this.#busy = false;
    }
  }
}
