// Charts as SVG that can be updated in place: lines or stacked columns over steps, with a read-out of the nearest step
// under the pointer, or under the arrow keys.

import { h, svg } from "./dom.js";
import { number } from "./format.js";

const WIDTH = 350, HEIGHT = 196, LEFT = 48, RIGHT = 8, TOP = 8, BOTTOM = 34;
const DASHES = ["", "6 3", "2 3", "8 3 2 3"];
const MOST_POINTS = 600, MOST_COLUMNS = 150;

export class Chart {
  #series = [];
  #at = null;
  #frame = null;

  constructor(title, { help = "", stacked = false, zero = false, log = false, smooth = 0, along = "step" } = {}) {
    Object.assign(this, { title, stacked, zero, log, smooth, along });
    this.readout = h("span", { class: "quiet" });
    this.picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, tabindex: "0", role: "img",
      pointermove: (event) => this.#point(event), pointerleave: () => this.#read(null), blur: () => this.#read(null),
      keydown: (event) => this.#step(event) });
    this.legend = h("div", { class: "legend" });
    this.element = h("figure", { "data-chart": title },
      h("figcaption", {}, h("span", help ? { title: help } : {}, title), this.readout), this.picture, this.legend);
  }

  // `series`: [{name, points: [[step, value or null], ...]}]; null breaks a line.
  show(series) {
    this.#series = series.filter(({ points }) => points.some(([, value]) => value !== null));
    if (this.stacked) this.#series = merged(this.#series);
    const values = this.stacked ? totals(this.#series) : this.#series.flatMap(({ points }) => points.map(([, y]) => y));
    const steps = this.#series.flatMap(({ points }) => points.map(([x]) => x));
    this.picture.replaceChildren();
    this.legend.replaceChildren();
    if (!this.#series.length) {
      this.#frame = null;
      this.picture.append(svg("text", { x: WIDTH / 2, y: HEIGHT / 2, "text-anchor": "middle" }, "nothing logged yet"));
      return this;
    }
    this.#frame = new Frame(steps, values.filter((value) => value !== null), this);
    this.picture.append(...this.#frame.axes());
    if (this.stacked) this.picture.append(...this.#columns());
    else this.#series.forEach((each, at) => this.picture.append(...this.#line(each, at)));
    this.mark = svg("g", {});
    this.picture.append(this.mark);
    this.picture.setAttribute("aria-label", `${this.title}: ${this.#series.map(({ name, points }) =>
      `${name} ${number(points.at(-1)[1])} at ${this.along} ${points.at(-1)[0]}`).join("; ")}`);
    if (this.#series.length > 1) {
      this.legend.append(...this.#series.map(({ name }, at) => h("span", {},
        svg("svg", { class: "key", viewBox: "0 0 22 10" }, this.stacked
          ? svg("rect", { class: `bar s${at % 6}`, x: 2, y: 0, width: 10, height: 10 })
          : svg("polyline", { class: `line s${at % 6}`, points: "0,5 22,5", "stroke-dasharray": DASHES[at % 4] })),
        name)));
    }
    this.#read(this.#at);
    return this;
  }

  #line({ points }, at) {
    const shape = (values, extra) => runs(thinned(values)).flatMap((run) => {
      const places = run.filter(([, y]) => !this.log || y > 0).map(([x, y]) => [this.#frame.x(x), this.#frame.y(y)]);
      if (places.length === 1) {
        return [svg("circle", { class: `dot s${at % 6} ${extra}`, cx: places[0][0], cy: places[0][1], r: 2.5 })];
      }
      return [svg("polyline", { class: `line s${at % 6} ${extra}`, "stroke-dasharray": DASHES[at % 4],
        points: places.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ") })];
    });
    return this.smooth ? [...shape(points, "faint"), ...shape(smoothed(points, this.smooth), "")] : shape(points, "");
  }

  #columns() {
    const bases = new Map(), bars = [];
    this.#series.forEach(({ points }, at) => {
      for (const [step, value] of points) {
        if (!value || value < 0) continue;
        const base = bases.get(step) ?? 0;
        const top = this.#frame.y(base + value), bottom = this.#frame.y(base);
        bases.set(step, base + value);
        bars.push(svg("rect", { class: `bar s${at % 6}`, x: (this.#frame.x(step) - this.#frame.column / 2).toFixed(1),
          y: top.toFixed(1), width: this.#frame.column.toFixed(2), height: Math.max(0, bottom - top).toFixed(1) }));
      }
    });
    return bars;
  }

  #point(event) {
    if (!this.#frame) return;
    const box = this.picture.getBoundingClientRect();
    this.#read(this.#frame.nearest(((event.clientX - box.left) / box.width) * WIDTH));
  }

  #step(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by || !this.#frame) return;
    event.preventDefault();
    const steps = this.#frame.steps;
    const at = this.#at === null ? (by > 0 ? 0 : steps.length - 1) : steps.indexOf(this.#at) + by;
    this.#read(steps[Math.min(steps.length - 1, Math.max(0, at))]);
  }

  #read(step) {
    this.#at = step;
    if (!this.#frame) return;
    const last = this.#frame.steps.at(-1);
    const values = this.#series.map(({ name, points }) => [name, points.find(([x]) => x === (step ?? last))?.[1]]);
    const alone = values.length === 1;
    this.readout.textContent = step === null && !alone ? "" : `${this.along} ${step ?? last}: ` +
      values.map(([name, value]) => (alone ? number(value) : `${name} ${number(value)}`)).join(", ");
    const at = step === null ? null : this.#frame.x(step).toFixed(1);
    this.mark.replaceChildren(...(at === null ? [] :
      [svg("line", { class: "cursor", x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM })]));
  }
}

class Frame {
  constructor(steps, values, { stacked, zero, log, along }) {
    this.along = along;
    this.steps = [...new Set(steps)].sort((a, b) => a - b);
    this.log = log;
    [this.first, this.last] = [this.steps[0], this.steps.at(-1)];
    if (this.first === this.last || stacked) [this.first, this.last] = [this.first - 0.5, this.last + 0.5];
    const kept = log ? values.filter((value) => value > 0).map(Math.log10) : values;
    let low = kept.reduce((a, b) => Math.min(a, b), Infinity), high = kept.reduce((a, b) => Math.max(a, b), -Infinity);
    if (!kept.length) [low, high] = [0, 1];
    if (!log && (zero || stacked)) [low, high] = [Math.min(0, low), Math.max(0, high)];
    if (zero && low === 0 && high === 0) high = 1; // what is never below 0 has no axis below it
    this.ticks = ticks(low, high);
    [this.low, this.high] = [this.ticks[0], this.ticks.at(-1)];
    const gap = this.steps.slice(1).reduce((least, step, at) => Math.min(least, step - this.steps[at]), Infinity);
    this.column = (0.86 * (WIDTH - LEFT - RIGHT) * (Number.isFinite(gap) ? gap : 1)) / (this.last - this.first);
  }

  x(step) {
    return LEFT + ((WIDTH - LEFT - RIGHT) * (step - this.first)) / (this.last - this.first);
  }

  y(value) {
    const at = this.log ? Math.log10(value) : value;
    return HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (at - this.low)) / (this.high - this.low);
  }

  nearest(x) {
    return this.steps.reduce((best, step) => (Math.abs(this.x(step) - x) < Math.abs(this.x(best) - x) ? step : best));
  }

  axes() {
    const across = this.ticks.flatMap((tick) => {
      const at = HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (tick - this.low)) / (this.high - this.low);
      return [svg("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: at, y2: at }),
        svg("text", { x: LEFT - 5, y: at + 4, "text-anchor": "end" }, number(this.log ? 10 ** tick : tick, 3))];
    });
    const every = Math.ceil(this.steps.length / 8);
    const along = this.steps.filter((_, at) => at % every === 0).map((step) =>
      svg("text", { x: this.x(step), y: HEIGHT - BOTTOM + 16, "text-anchor": "middle" }, String(step)));
    const name = svg("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, this.along);
    return [...across, ...along, name];
  }
}

// Round numbers around [low, high], 1, 2 or 5 times a power of ten apart.
export function ticks(low, high) {
  if (high - low < 1e-9 * Math.max(Math.abs(low), Math.abs(high), 1e-6)) {
    const pad = Math.abs(low) * 0.1 || 0.5;
    [low, high] = [low - pad, high + pad];
  }
  const rough = (high - low) / 4, power = 10 ** Math.floor(Math.log10(rough));
  const size = power * [1, 2, 5, 10].find((each) => each * power >= rough * 0.999);
  const from = Math.floor(low / size + 1e-9), to = Math.ceil(high / size - 1e-9);
  return Array.from({ length: to - from + 1 }, (_, at) => Number(((from + at) * size).toPrecision(12)));
}

// An exponential mean, freed of its start: weights `by`^age.
export function smoothed(points, by) {
  let sum = 0, weight = 0;
  return points.map(([step, value]) => {
    if (value === null) return [step, null];
    [sum, weight] = [by * sum + value, by * weight + 1];
    return [step, sum / weight];
  });
}

// Columns that are too many to be told apart become fewer, each the mean of steps beside each other; a step that does
// not have a series counts as 0 in it.
function merged(series) {
  const steps = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
  const size = Math.ceil(steps.length / MOST_COLUMNS);
  if (size < 2) return series;
  return series.map(({ name, points }) => {
    const found = new Map(points), means = [];
    for (let at = 0; at < steps.length; at += size) {
      const bucket = steps.slice(at, at + size);
      means.push([bucket[0], bucket.reduce((sum, step) => sum + (found.get(step) ?? 0), 0) / bucket.length]);
    }
    return { name, points: means };
  });
}

// The least and the greatest of each bucket, where there are more points than the picture has room for.
function thinned(points) {
  if (points.length <= MOST_POINTS) return points;
  const size = Math.ceil(points.length / (MOST_POINTS / 2)), kept = [];
  for (let at = 0; at < points.length; at += size) {
    const bucket = points.slice(at, at + size).filter(([, value]) => value !== null);
    if (!bucket.length) continue;
    const low = bucket.reduce((a, b) => (b[1] < a[1] ? b : a)), high = bucket.reduce((a, b) => (b[1] > a[1] ? b : a));
    kept.push(...(low[0] <= high[0] ? [low, high] : [high, low]));
  }
  return kept;
}

function runs(points) {
  const found = [];
  let run = [];
  for (const point of points) {
    if (point[1] !== null) run.push(point);
    else if (run.length) found.push(run), (run = []);
  }
  return run.length ? [...found, run] : found;
}

function totals(series) {
  const sums = new Map();
  for (const { points } of series) for (const [x, y] of points) sums.set(x, (sums.get(x) ?? 0) + Math.max(0, y ?? 0));
  return [...sums.values()];
}
