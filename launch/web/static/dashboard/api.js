// Asking the server. A fault is an Error that says what the server said.

export async function ask(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== "" && value != null));
  const answer = await fetch(`/api/${path}?${query}`, { signal });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}
