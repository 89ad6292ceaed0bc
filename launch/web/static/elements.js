// Elements from plain values. Text is always text: what a model or a document wrote is never read as HTML.

const SVG = "http://www.w3.org/2000/svg";

// element("p", { class: "quiet", text: "…" }, child, …); a property that is null or false is left out.
export function element(name, properties = {}, ...children) {
  return filled(document.createElement(name), properties, children);
}

export function drawing(name, properties = {}, ...children) {
  return filled(document.createElementNS(SVG, name), properties, children);
}

function filled(made, { text = null, ...attributes }, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  if (text !== null) made.append(String(text));
  made.append(...children.filter((child) => child !== null));
  return made;
}
