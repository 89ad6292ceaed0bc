// What a metric means, in the words of medrl/metrics.py; <name> and <hops> there stand for any.

export function meaning(glossary, key) {
  if (key in glossary) return glossary[key];
  for (const [pattern, words] of Object.entries(glossary)) {
    const [before, after] = pattern.split(/<\w+>/);
    if (after !== undefined && key.startsWith(before) && key.endsWith(after)) return words;
  }
  return "";
}
