// What is looked at stands in the address: tab, filters, selection. The same address gives the same view.

const listeners = [];

export function get(name, otherwise = "") {
  return new URLSearchParams(location.search).get(name) ?? otherwise;
}

export function all() {
  return Object.fromEntries(new URLSearchParams(location.search));
}

// `changes`: name to value; "" or null takes it out. `push`: a step that the browser's back button takes back.
export function set(changes, { push = false } = {}) {
  const parameters = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "" || value === null || value === undefined) parameters.delete(name);
    else parameters.set(name, value);
  }
  go(parameters, push);
}

export function link(parameters) {
  return `?${new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== "" && value !== null))}`;
}

export function open(parameters) {
  go(new URLSearchParams(parameters), true);
}

function go(parameters, push) {
  const address = parameters.size ? `?${parameters}` : location.pathname;
  if (address === location.search) return;
  history[push ? "pushState" : "replaceState"](null, "", address);
  for (const listener of listeners) listener();
}

export function onChange(listener) {
  listeners.push(listener);
}

addEventListener("popstate", () => listeners.forEach((listener) => listener()));
