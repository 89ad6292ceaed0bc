// The run's processes, by the health.json that it writes every two seconds.

import { h, table } from "./dom.js";
import { number, seconds } from "./format.js";

const STATES = { alive: "on", starting: "", restarting: "off", dead: "off", stopped: "" };

const FIGURES = ["rss_gb", "cpu", "requests_running", "requests_waiting", "tokens_per_s", "policy_version", "episodes"];

export class Actors {
  constructor(app) {
    this.app = app;
    this.element = h("div", {});
  }

  update() {
    const { health, working } = this.app.live;
    this.element.replaceChildren(...(health ? report(health, working) : [h("p", { class: "note" },
      "There is no health.json in the run directory: a run writes it while it is at work.")]));
  }
}

function report({ actors, age_s: age, ended, stage, step, stale }, working) {
  const at = stage ? `${stage}${step === null || step === undefined ? "" : `, step ${step}`}` : "between stages";
  const told = ended ? `The run has ended; this is how its actors were ${seconds(age)} ago, in ${at}.`
    : stale ? `Not heard of for ${seconds(age)}, though the run is at work: what follows is old, of ${at}.`
      : working ? `As of ${seconds(age)} ago, in ${at}.`
        : `The run was killed, or lost its machine: this is the last that was written, ${seconds(age)} ago, in ${at}.`;
  const old = stale || (!working && !ended);
  const head = ["actor", "state", "node", "process", "restarts", "last heard", "memory, GB", "cores", "requests running",
    "waiting", "tokens/s", "policy version", "episodes"];
  return [h("p", { class: old ? "bad" : "note", role: old ? "alert" : null, id: "health" }, told),
    table(head, actors.map((each) => [each.name,
      h("td", {}, h("span", { class: `pill ${STATES[each.state] ?? ""}` }, each.state)), each.node,
      each.pid === null ? null : String(each.pid), number(each.restarts), seconds(each.heard_s),
      ...FIGURES.map((key) => number(each[key], 3))])),
    h("p", { class: "note" }, "Memory and cores are those of a process and its children, known on the controller's node alone. " +
      "An actor is heard of when it does something; one that waits for work is silent, and well.")];
}
