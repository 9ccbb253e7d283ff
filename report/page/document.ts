import { type Html, html } from "./html.js";
import { SPAN_KINDS, type SpanKind } from "./spans.js";

const STYLESHEET = html`
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --line: #ddd; --ran: #4878a8; --retried: #e0a030; --failed: #c02020; --superseded: #b9cbdc; --running: #58a868; --break: #555; --out: #f2c4c4; --away: #c8c8c8; --lane: #f4f4f4; }
@media (prefers-color-scheme: dark) { :root { --ink: #ddd; --paper: #181818; --line: #444; --superseded: #34485c; --break: #aaa; --out: #5a2a2a; --away: #555; --lane: #242424; } }
body { font: 14px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1240px; margin: 1.5em auto; padding: 0 1em; overflow-wrap: anywhere; }
h1 { font-size: 1.4em; } h2 { font-size: 1.1em; margin-top: 1.6em; } h3 { font-size: 1em; margin: 1.2em 0 0.4em; } summary { cursor: pointer; margin: 0.8em 0; }
.timeline { display: grid; grid-template-columns: minmax(4em, max-content) minmax(0, 1fr); gap: 2px 8px; font-size: 11px; line-height: 12px; }
.timeline > span { text-align: right; max-width: 12em; } .timeline .first { margin-top: 6px; } .timeline .first + svg { margin-top: 6px; }
.timeline svg { width: 100%; height: 11px; background: var(--lane); display: block; }
.axis { position: relative; height: 16px; } .tick { position: absolute; font-style: normal; white-space: nowrap; border-left: 1px solid var(--line); padding-left: 3px; }
.tick.end { transform: translateX(-100%); border-width: 0 1px 0 0; border-style: solid; padding: 0 3px 0 0; border-color: var(--line); }
${SPAN_KINDS.map((kind) => html`.${kind} { fill: var(--${kind}); }`)}
.ran, .retried, .failed { stroke: var(--paper); stroke-width: 0.5; vector-effect: non-scaling-stroke; }
.break { stroke: var(--break); stroke-width: 1.5; stroke-dasharray: 3 2; vector-effect: non-scaling-stroke; }
.scroll { overflow-x: auto; } th { overflow-wrap: normal; } table { border-collapse: collapse; }
th, td { text-align: right; padding: 2px 10px; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child, table.words td, table.words th { text-align: left; } td { white-space: pre-wrap; overflow-wrap: break-word; } table.words td:last-child { min-width: 6em; } .figures th, .figures td { white-space: pre; }
pre { white-space: pre-wrap; margin: 0.4em 0; padding: 0.4em 0.8em; background: var(--lane); }
.bars div { display: grid; grid-template-columns: minmax(4em, 12em) minmax(0, 1fr) 5.5em; gap: 8px; align-items: center; } .bars i { display: block; height: 12px; background: var(--ran); }
.key span { display: inline-block; margin-right: 14px; } .key i { display: inline-block; width: 12px; height: 10px; margin-right: 4px; }
@media (max-width: 600px) { body { margin: 0.5em auto; padding: 0 0.5em; } th, td { padding: 2px 5px; } .wide { display: none; } .timeline > span { max-width: 7em; } .bars div { grid-template-columns: 7em minmax(0, 1fr) 5em; } }
`;

/** Renders a self-contained page without scripts or external resources. `facts` are paragraphs below the title. */
export function renderDocument(title: string, facts: string[], sections: Html[]): string {
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLESHEET}</style>
<h1>${title}</h1>
${facts.map((fact) => html`<p>${fact}</p>`)}
${sections}
</html>
`.text;
}

/** Renders what the colours of a timeline mean. */
export function renderKey(names: [kind: SpanKind | "break", name: string][]): Html {
  const parts = names.map(([kind, name]) => html`<span><i style="background: var(--${kind})"></i>${name}</span>`);
  return html`<p class="key">${parts}</p>`;
}
