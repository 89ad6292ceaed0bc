// An episode token by token. Tokens of prompt and tools are pale; those that the policy sampled have a ground, whose
// colour shows what is asked for. Under them runs the sign of the advantage. A turn begins on a line of its own.

import { h } from "./dom.js";
import { number, signed } from "./format.js";

export const OVERLAYS = { ratio: "ratio, learner to sampler", advantage: "advantage", sampler: "sampler's log-prob",
  learner: "learner's log-prob", version: "policy version" };
const RATIO_BOUNDS = [0.02, 0.1, 0.25];
const ADVANTAGE_BOUNDS = [1e-9, 0.25, 0.6];
const LOGPROB_BOUNDS = [0.1, 0.7, 2.3];
const PIECE = 256; // tokens that become elements, and text again, together

function level(size, bounds) {
  return bounds.filter((bound) => size > bound).length;
}

function ground(kind, list, at, least) {
  const ratio = list.ratio?.[at], logprob = list[kind]?.[at];
  if (kind === "ratio" && ratio != null) {
    const size = level(Math.abs(Math.log(ratio)), RATIO_BOUNDS);
    return size ? `${ratio > 1 ? "up" : "down"}${size}` : "";
  }
  if (kind === "advantage" && list.advantage !== null) {
    const size = level(Math.abs(list.advantage), ADVANTAGE_BOUNDS);
    return size ? `${list.advantage > 0 ? "good" : "bad"}${size}` : "";
  }
  if (kind === "version") return `v${(list.version[at] - least) % 6}`;
  if ((kind === "sampler" || kind === "learner") && logprob != null) {
    const size = level(-logprob, LOGPROB_BOUNDS);
    return size ? `rare${size}` : "";
  }
  return "";
}

// `least`: the first policy version in the group. An episode has tens of thousands of tokens, and elements are dear:
// prompt and tools have one a run of tokens, and what the policy sampled is plain text until it comes near the window.
export function tokens(list, overlay, clip, least) {
  const under = list.advantage > 1e-9 ? "under-good" : list.advantage < -1e-9 ? "under-bad" : "";
  const written = (at) => {
    const text = list.texts ? list.texts[at] : `${list.ids[at]} `;
    return list.mask[at] ? text.replaceAll("\n", "↵\n") : text;
  };
  const plain = (places) => places.map(written).join("");
  const token = (at) => {
    const ratio = list.ratio?.[at] ?? null;
    const clipped = clip && ratio !== null && overlay === "ratio" &&
      (list.advantage > 0 ? ratio > clip[1] : list.advantage < 0 && ratio < clip[0]);
    const words = [`token ${list.ids[at]}`, `sampler ${number(list.sampler[at], 3)}`,
      list.learner ? `learner ${number(list.learner[at], 3)}` : null, ratio === null ? null : `ratio ${ratio.toFixed(4)}`,
      list.advantage === null ? null : `advantage ${signed(list.advantage)}`, `version ${list.version[at]}`];
    const kinds = ["t act", ground(overlay, list, at, least), under, clipped ? "clipped" : ""];
    return h("span", { class: kinds.filter(Boolean).join(" "), title: words.filter(Boolean).join(", ") }, written(at));
  };
  const pieces = new Map();
  const nearness = new IntersectionObserver((changes) => changes.forEach(({ target, isIntersecting: near }) => {
    if (near) target.replaceChildren(...pieces.get(target).map(token));
    else if (target.firstElementChild) target.replaceChildren(plain(pieces.get(target)));
  }), { rootMargin: "100% 0px" }); // a window's height above it and below
  const piece = (places) => {
    const element = h("span", {}, plain(places));
    pieces.set(element, places);
    nearness.observe(element);
    return element;
  };
  const block = (run) => (list.mask[run[0]] ? h("div", {}, cut(run).map(piece)) : h("div", { class: "t" }, plain(run)));
  const runs = split(list.mask), prompt = list.mask[0] ? [] : runs.shift() ?? [];
  return h("div", {}, h("p", { class: "quiet" }, summary(list, clip)),
    h("details", {}, h("summary", {}, `Prompt, ${number(prompt.length)} tokens`), h("div", { class: "tokens" }, block(prompt))),
    h("div", { class: "tokens" }, runs.map(block)));
}

// The places of tokens, by runs that the policy did or did not sample.
function split(mask) {
  const runs = [];
  mask.forEach((acted, at) => {
    if (at === 0 || acted !== mask[at - 1]) runs.push([]);
    runs.at(-1).push(at);
  });
  return runs;
}

function cut(run) {
  return Array.from({ length: Math.ceil(run.length / PIECE) }, (_, at) => run.slice(at * PIECE, (at + 1) * PIECE));
}

function summary(list, clip) {
  const acted = list.mask.filter(Boolean).length;
  if (!acted) return `no action tokens of ${number(list.ids.length)}`;
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const sampled = list.sampler.filter((value) => value !== null);
  const words = [`${number(acted)} action tokens of ${number(list.ids.length)}`,
    ...(list.advantage === null ? [] : [`advantage ${signed(list.advantage)}`]), `mean log-prob ${number(mean(sampled), 3)}`];
  const ratios = list.ratio?.filter((value) => value !== null);
  if (ratios?.length) {
    const low = Math.min(...ratios), high = Math.max(...ratios);
    words.push(`ratio ${mean(ratios).toFixed(4)} (${low.toFixed(3)} to ${high.toFixed(3)})`);
    if (clip) words.push(`${ratios.filter((value) => value < clip[0] || value > clip[1]).length} outside ${clip.map((each) =>
      number(each, 3)).join(" to ")}`);
  }
  return words.join(" · ");
}

export function legend(overlay, lists, clip) {
  const swatch = (kind, text) => h("span", {}, h("span", { class: `t act ${kind}` }, "abc"), ` ${text}`);
  const bounds = (values, kinds, text) => kinds.map((kind, at) => swatch(kind, text(values[at])));
  const versions = [...new Set(lists.flatMap((list) => list.version))].filter((each) => each !== null);
  versions.sort((a, b) => a - b);
  const shown = {
    ratio: () => [swatch("", "about 1"),
      ...bounds(RATIO_BOUNDS, ["up1", "up2", "up3"], (by) => `above ${Math.exp(by).toFixed(2)}`),
      ...bounds(RATIO_BOUNDS, ["down1", "down2", "down3"], (by) => `below ${Math.exp(-by).toFixed(2)}`),
      clip ? swatch("clipped", "no gradient: beyond the clip") : null],
    advantage: () => [swatch("", "0"),
      ...bounds(ADVANTAGE_BOUNDS, ["good1", "good2", "good3"], (by) => `above +${by < 0.01 ? 0 : by}`),
      ...bounds(ADVANTAGE_BOUNDS, ["bad1", "bad2", "bad3"], (by) => `below −${by < 0.01 ? 0 : by}`)],
    sampler: () => bounds(LOGPROB_BOUNDS, ["rare1", "rare2", "rare3"], (by) => `below −${by}`),
    learner: () => bounds(LOGPROB_BOUNDS, ["rare1", "rare2", "rare3"], (by) => `below −${by}`),
    version: () => versions.slice(0, 12).map((each) => swatch(`v${(each - versions[0]) % 6}`, String(each))),
  }[overlay]();
  return h("p", { class: "swatches" }, h("span", {}, h("span", { class: "t" }, "abc"), " prompt, tools"), shown,
    lists.every((list) => list.advantage === null) ? null
      : [swatch("under-good", "advantage above 0"), swatch("under-bad", "below 0")]);
}
