// The lines of metrics.jsonl that have come so far, by stage.

// What a stage counts in `step`.
export function counted(stage) {
  return stage === "sft" ? "update" : "step";
}

export class Metrics {
  #stages = new Map();
  #generation = 0;
  #count = 0;

  get position() {
    return { generation: this.#generation, since: this.#count };
  }

  // Returns whether anything changed. A stage that was begun again replaces what it logged from that step on.
  take({ generation, from, lines }) {
    const anew = generation !== this.#generation || from !== this.#count;
    if (anew) this.#stages.clear();
    this.#generation = generation;
    this.#count = from + lines.length;
    for (const line of lines) {
      const own = this.#stages.get(line.stage) ?? [];
      while (own.length && own.at(-1).step >= line.step) own.pop();
      own.push(line);
      this.#stages.set(line.stage, own);
    }
    return anew || lines.length > 0;
  }

  get stages() {
    return [...this.#stages.keys()];
  }

  lines(stage) {
    return this.#stages.get(stage) ?? [];
  }

  last(stage) {
    return this.lines(stage).at(-1) ?? {};
  }

  keys(stage, prefix = "") {
    const seen = new Set();
    for (const line of this.lines(stage)) {
      for (const key in line) if (key.includes("/") && key.startsWith(prefix)) seen.add(key);
    }
    return [...seen];
  }

  points(stage, key) {
    return this.lines(stage).filter((line) => key in line).map((line) => [line.step, line[key]]);
  }
}
