// Making elements. All text of a run is set as text, never as HTML.

export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function table(head, rows) {
  const cell = (tag, value, extra = {}) =>
    value instanceof Node && ["TD", "TH"].includes(value.tagName) ? value : h(tag, extra, value ?? "–");
  return h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, head.map((name) => cell("th", name, { scope: "col" })))),
    h("tbody", {}, rows.map((row) => h("tr", {},
      row.map((value, at) => (at === 0 ? cell("th", value, { scope: "row" }) : cell("td", value))))))));
}

export function option(value, text, chosen) {
  return h("option", { value, selected: String(value) === String(chosen ?? "") }, text);
}
