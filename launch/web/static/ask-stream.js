// The events of a question, as the server sends them: `data: {…}` and an empty line each.

// Calls `onEvent` with each. Throws an Error whose message can be shown; an aborted one is left as it is.
export async function ask(question, samples, signal, onEvent) {
  const answer = await fetch("/api/ask", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ question, samples }),
    signal,
  });
  if (!answer.ok) throw new Error(await reason(answer));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let last = null;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      last = JSON.parse(block.replace(/^data: /, ""));
      if (last.type === "error") throw new Error(last.error);
      onEvent(last);
    }
  }
  if (last?.type !== "report") throw new Error("the server went away before the answer came");
}

async function reason(answer) {
  if (!answer.headers.get("Content-Type")?.startsWith("application/json")) return `the server said ${answer.status}`;
  return (await answer.json()).error;
}
