// Links to the pages that this server has, in <nav id="pages">; the page one is on is marked.
// A page's head: <link rel="stylesheet" href="/static/nav.css"> and <script type="module" src="/static/nav.js"></script>
// and its body begins: <header class="top"><strong>medrl</strong><nav id="pages" aria-label="Pages"></nav></header>

const answer = await fetch("/api/pages");
const pages = await answer.json();
const links = pages.map(({ path, name }) => {
  const link = document.createElement("a");
  link.href = path;
  link.textContent = name;
  if (path === location.pathname) link.setAttribute("aria-current", "page");
  return link;
});
document.getElementById("pages").replaceChildren(...links);
