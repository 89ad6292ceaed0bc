// The page: tabs, and every two seconds what is new of the run.

import { Actors } from "./actors.js";
import { ask } from "./api.js";
import { Curriculum } from "./curriculum.js";
import { Curves } from "./curves.js";
import { h } from "./dom.js";
import { bytes, seconds } from "./format.js";
import { Groups } from "./groups.js";
import { Metrics } from "./metrics.js";
import { Overview } from "./overview.js";
import { Rewards } from "./rewards.js";
import { Time } from "./time.js";
import { Tools } from "./tools.js";
import * as url from "./url.js";

const EVERY_MS = 2000;
const TABS = { overview: ["Overview", Overview], curves: ["Curves", Curves], groups: ["Groups", Groups],
  rewards: ["Rewards", Rewards], tools: ["Tools", Tools], time: ["Time", Time], actors: ["Actors", Actors],
  curriculum: ["Curriculum", Curriculum] };

const find = (id) => document.getElementById(id);
const app = { metrics: new Metrics(), live: null, about: null, complain };
let view = null, shown = null;

function tab() {
  return url.get("tab", "overview");
}

function navigate() {
  find("tabs").replaceChildren(...Object.entries(TABS).map(([name, [title]]) => h("a", { href: `?tab=${name}`,
    "aria-current": name === tab() ? "page" : null,
    click: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      url.open({ tab: name });
    } }, title)));
  if (!app.live) return;
  if (shown === tab()) {
    view?.navigate?.();
    return;
  }
  view?.close?.();
  view = null;
  shown = tab();
  if (!Object.hasOwn(TABS, shown)) {
    find("view").replaceChildren(h("p", { class: "note", role: "alert" }, `There is no view ${shown}: choose one above.`));
    return;
  }
  view = new TABS[shown][1](app);
  find("view").replaceChildren(view.element);
  view.update(true);
}

function complain(error) {
  if (error.name !== "AbortError") find("standing").textContent = error.message;
}

async function poll() {
  try {
    let fresh = false;
    do {
      if (!app.about?.settings) {
        app.about = await ask("run");
        document.title = `${app.about.name}: medrl`;
        find("name").textContent = app.about.name;
        find("name").title = app.about.path;
      }
      app.live = await ask("live", app.metrics.position);
      fresh = app.metrics.take(app.live.metrics) || fresh;
    } while (app.live.metrics.more);
    head(app.live);
    if (shown === null) navigate();
    else view?.update(fresh);
  } catch (error) {
    if (error instanceof TypeError && !navigator.onLine) complain(error);
    else complain(new Error(`The dashboard does not answer as it should (${error.message}); asking again.`));
  }
  setTimeout(poll, EVERY_MS);
}

function head({ working, standing, stages, indexed, problems, num_problems: count, now }) {
  const { stage, step, total, eta_s: eta, time } = standing;
  const words = [];
  if (!working && "report" in stages) {
    words.push("all stages are done");
  } else if (stage) {
    const reached = step === null ? "" : `, ${step}${total ? ` of ${total}` : ""} steps done`;
    words.push(stage in stages ? `${stage} is done` : `${stage}${reached}`);
    if (working && eta !== null) words.push(`about ${seconds(eta)} of it left`);
  }
  words.push(time ? `last logged ${seconds(Math.max(0, now - time))} ago` : "nothing is logged yet");
  find("standing").replaceChildren(
    h("span", { class: working ? "pill on" : "pill" }, working ? "at work" : "not at work"), ` ${words.join(" · ")}`);
  const done = stage && total && working ? h("progress", { max: total, value: step, "aria-label": `${stage}, steps` }) : "";
  const reading = indexed.read < indexed.there
    ? h("span", { class: "quiet", id: "indexing" },
      `${indexed.episodes.toLocaleString("en")} episodes indexed so far, ${bytes(indexed.read)} of ${bytes(indexed.there)}`)
    : "";
  find("progress").replaceChildren(done, reading);
  const box = find("problems");
  box.hidden = count === 0;
  box.querySelector("summary").textContent = `${count} ${count === 1 ? "line or file" : "lines or files"} could not be read`;
  box.querySelector("ul").replaceChildren(...problems.map(({ file, line, message }) =>
    h("li", {}, `${file}${line === null ? "" : `:${line}`}: ${message}`)));
}

url.onChange(navigate);
navigate();
poll();
