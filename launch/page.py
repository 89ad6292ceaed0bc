"""The frame of report.html: head and style sheet."""

from html import escape

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --quiet: #59636e; --line: #d5dae0; --soft: #f3f5f8;
  --good: #116b33; --bad: #b3261e;
  --c0: #1f62c4; --c1: #b75000; --c2: #11804f; --c3: #8a3fb5; --c4: #a8305f; --c5: #5d6b00; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171b; --ink: #e5e9ee; --quiet: #9aa5b1; --line: #363d46;
  --soft: #1d2228; --good: #62cf8b; --bad: #ff8d84;
  --c0: #77aef8; --c1: #f2a253; --c2: #56c98e; --c3: #cf9bf0; --c4: #f08bb0; --c5: #c2cd62; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 24px 20px 80px; }
h1 { margin: 0 0 4px; font-size: 28px; } h2 { margin: 44px 0 12px; font-size: 21px; }
h3 { margin: 0; font-size: 17px; } h4 { margin: 0 0 6px; font-size: 15px; }
.lead { font-size: 19px; margin: 0 0 18px; } .quiet, small { color: var(--quiet); } .quiet { font-size: 14px; }
.good { color: var(--good); } .bad { color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 18px 6px 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child { text-align: left; } thead th { color: var(--quiet); font-weight: 500; font-size: 14px; }
.difference > * { border-bottom: 0; font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(310px, 1fr)); gap: 28px 32px;
  align-items: end; }
.wide { grid-template-columns: repeat(auto-fill, minmax(min(460px, 100%), 1fr)); align-items: start; margin-top: 20px; }
.part { margin: 30px 0 8px; }
figure { margin: 0; } figcaption { font-weight: 600; font-size: 14px; }
small { font-weight: 400; } figure > svg { width: 100%; height: auto; }
main > figure { max-width: 460px; margin-top: 18px; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px; color: var(--quiet); }
.key { width: 22px; height: 10px; margin-right: 5px; }
svg text { font: 11px system-ui, sans-serif; fill: var(--quiet); } svg .label { font-size: 12.5px; fill: var(--ink); }
.grid { stroke: var(--line); stroke-width: 1; } .axis-0 { stroke: var(--quiet); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
line.s0, polyline.s0 { stroke: var(--c0); } .bar.s0, .dot.s0 { fill: var(--c0); }
line.s1, polyline.s1 { stroke: var(--c1); } .bar.s1, .dot.s1 { fill: var(--c1); }
line.s2, polyline.s2 { stroke: var(--c2); } .bar.s2, .dot.s2 { fill: var(--c2); }
line.s3, polyline.s3 { stroke: var(--c3); } .bar.s3, .dot.s3 { fill: var(--c3); }
line.s4, polyline.s4 { stroke: var(--c4); } .bar.s4, .dot.s4 { fill: var(--c4); }
line.s5, polyline.s5 { stroke: var(--c5); } .bar.s5, .dot.s5 { fill: var(--c5); }
.question { border-top: 1px solid var(--line); padding: 20px 0 8px; } .question p { margin: 4px 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(340px, 100%), 1fr)); gap: 16px; }
.question .pair { margin-top: 12px; }
article { background: var(--soft); border-radius: 8px; padding: 14px 16px; min-width: 0; }
ol { margin: 10px 0 0; padding: 0; list-style: none; } li { border-top: 1px solid var(--line); padding: 8px 0; }
li span, summary span { color: var(--quiet); font-size: 12.5px; } summary { cursor: pointer; font-size: 13.5px; }
pre { margin: 0 0 6px; white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.45 ui-monospace, monospace; }
.thought pre { font-family: inherit; font-size: 14.5px; } .observation pre { color: var(--quiet); }
summary:focus-visible { outline: 2px solid var(--c0); outline-offset: 2px; }
@media print { details > pre { display: block; } }
"""


def render_page(title: str, body: str) -> str:
    """A whole HTML document around `body`, which is HTML. Browsers are told to fetch nothing and run nothing."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )
