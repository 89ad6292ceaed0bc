// A reward as a bar: what task and expert add, from the left; what the penalty takes, from the right of that.

import { svg } from "./dom.js";

const WIDTH = 150, HEIGHT = 12;

export function split(reward, weights) {
  const most = weights.task + weights.expert || 1, scale = WIDTH / most;
  const task = weights.task * reward.task, expert = weights.expert * reward.expert;
  const penalty = weights.efficiency * reward.efficiency;
  const words = `total ${reward.total.toFixed(3)}: task ${task.toFixed(3)}, expert ${expert.toFixed(3)}, ` +
    `penalty −${penalty.toFixed(3)}`;
  const rect = (kind, from, size) => svg("rect", { class: kind, x: (from * scale).toFixed(1), y: 0,
    width: Math.max(0, size * scale).toFixed(1), height: HEIGHT });
  const taken = svg("rect", { class: "penalty", x: (Math.max(0, task + expert - penalty) * scale).toFixed(1), y: 0,
    width: Math.max(0, Math.min(penalty, task + expert) * scale).toFixed(1), height: HEIGHT / 2 });
  return svg("svg", { class: "split", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words },
    svg("title", {}, words), rect("ground", 0, most), rect("bar s0", 0, task), rect("bar s1", task, expert), taken);
}
