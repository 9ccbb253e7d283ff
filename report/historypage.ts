import type { RunHistory } from "../executor/run/record/runhistory.js";
import { breakDownRun, type RunBreakdown } from "./breakdown.js";
import { formatCount, formatDuration, formatRate, pluralize } from "./format.js";
import { COLUMN_HEADS, formatCells } from "./historytext.js";
import { type Html, html, renderTable } from "./page/html.js";
import { buildLanes } from "./page/lanes.js";
import { renderTimeline } from "./page/timeline.js";
import { comparePlanAndActual } from "./plancomparison.js";

const STYLESHEET = html`
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --line: #ddd; --ran: #4878a8; --retried: #e0a030; --failed: #c02020; --out: #f2c4c4; --away: #c8c8c8; --lane: #f4f4f4; }
@media (prefers-color-scheme: dark) { :root { --ink: #ddd; --paper: #181818; --line: #444; --out: #5a2a2a; --away: #555; --lane: #242424; } }
body { font: 14px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1240px; margin: 1.5em auto; padding: 0 1em; }
h1 { font-size: 1.4em; } h2 { font-size: 1.1em; margin-top: 1.6em; }
svg { width: 100%; height: auto; } svg text { font-size: 9px; fill: var(--ink); }
.lane { fill: var(--lane); } .tick { stroke: var(--line); } .ran { fill: var(--ran); } .retried { fill: var(--retried); }
.out { fill: var(--out); } .away { fill: var(--away); } .failed { stroke: var(--failed); stroke-width: 2; }
.ran, .retried { stroke: var(--paper); stroke-width: 0.5; }
table { border-collapse: collapse; } th, td { text-align: right; padding: 2px 10px; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child, table.words td, table.words th { text-align: left; } td { white-space: pre-wrap; }
.bars div { display: grid; grid-template-columns: 12em 1fr 6em; gap: 8px; align-items: center; } .bars i { display: block; height: 12px; background: var(--ran); }
.key span { display: inline-block; width: 12px; height: 10px; margin: 0 4px 0 14px; }
`;

/** Renders the report of a run as a self-contained HTML page without scripts or external resources. Pure. */
export function renderHistoryPage(history: RunHistory): string {
  const { status, seconds, summary, missing, failures } = history;
  const account = breakDownRun(history);
  const failed = status.chunks.failed === 0 ? "" : `, ${formatCount(status.chunks.failed)} failed`;
  const planned = summary?.planned === undefined || summary.state !== "complete" ? [] : [comparePlanAndActual(summary)];
  const begun = status.started === undefined ? [] : [`started ${status.started}`];
  const facts = [`${formatDuration(seconds)} of active time`, ...begun, ...planned, ...missing];
  const title = `${status.name}: ${status.state}: ${pluralize(status.chunks.done, "chunk")} done${failed}`;
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>${STYLESHEET}</style>
<h1>${title}</h1>
${facts.map((fact) => html`<p>${fact}</p>`)}
<h2>Slots over time</h2>
<p class="key">${LEGEND}</p>
${renderTimeline(buildLanes(history), seconds)}
<h2>Rates of the nodes</h2>
${renderRateBars(account)}
<h2>Nodes and slots</h2>
${renderTable("figures", ["", ...COLUMN_HEADS], buildRows(account))}
${failures.length === 0 ? "" : html`<h2>Failed chunks</h2>${renderFailures(history)}`}
${account.happenings.length === 0 ? "" : html`<h2>Events</h2>${renderRunEvents(account)}`}
<h2>Slowest chunks</h2>
${renderSlowest(account)}
</html>
`.text;
}

const LEGEND = Object.entries({
  ran: "ran a chunk",
  retried: "ran a chunk that had failed before",
  failed: "an attempt failed",
  out: "slot disabled",
  away: "node unreachable",
}).map(([what, name]) => html`<span style="background: var(--${what})"></span>${name}`);

function renderRateBars({ nodes }: RunBreakdown): Html {
  const most = Math.max(...nodes.map((node) => node.rate ?? 0), Number.MIN_VALUE);
  const lines = nodes.map(({ node, rate: speed = 0 }) => {
    const width = ((100 * speed) / most).toFixed(1);
    return html`<div>${node}<i style="width: ${width}%"></i>${formatRate(speed)}</div>`;
  });
  return html`<div class="bars">
${lines}
</div>`;
}

function buildRows({ nodes }: RunBreakdown): string[][] {
  return nodes.flatMap((node) => [
    [node.node, ...formatCells(node)],
    ...node.slots.map((slot) => [`    slot ${slot.slot}`, ...formatCells(slot)]),
  ]);
}

function renderFailures({ failures }: RunHistory): Html {
  const rows = failures.map(({ chunk, node, slot, attempt, reason, stderr }) => {
    const where = slot < 0 ? "" : `${node} slot ${slot}`;
    return [chunk, where, `${attempt}`, reason, stderr.trimEnd().split("\n").slice(-5).join("\n")];
  });
  return renderTable("words", ["chunk", "where", "attempt", "reason", "last lines of stderr"], rows);
}

function renderRunEvents({ happenings }: RunBreakdown): Html {
  const rows = happenings.map(({ at, node, slot, what }) => [
    formatDuration(at),
    `${node}${slot === undefined ? "" : ` slot ${slot}`}`,
    what,
  ]);
  return renderTable("words", ["after", "where", "event"], rows);
}

function renderSlowest({ slowest }: RunBreakdown): Html {
  const rows = slowest.map(({ chunk, node, slot, attempt, seconds }) => [
    chunk,
    `${node} slot ${slot}`,
    `${attempt}`,
    formatDuration(seconds),
  ]);
  return renderTable("words", ["chunk", "where", "attempt", "duration"], rows);
}
