// Small pieces of a page. All text goes in as text: what an agent or a document wrote is never markup.

export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  const { data, ...plain } = properties;
  Object.assign(node, plain);
  Object.assign(node.dataset, data ?? {});
  node.append(...children.filter((child) => child !== null));
  return node;
}

export function folded(summary, ...children) {
  return make("details", {}, make("summary", { textContent: summary }), ...children);
}
