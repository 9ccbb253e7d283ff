import type { RunSession } from "../../executor/run/record/replay.js";
import type { RunHistory } from "../../executor/run/record/runhistory.js";
import { type FailureGroup, FailureGroups } from "../../executor/schedule/halting/failuregroups.js";
import { breakDownRun, type RunBreakdown } from "../breakdown.js";
import { describeFailure, selectLastLines } from "../failuretext.js";
import { formatCount, formatDuration, formatRate, pluralize, toPrintableText } from "../format.js";
import { COLUMN_HEADS, formatCells } from "../historytext.js";
import { formatPilots } from "../pilottext.js";
import { buildUsageRows, formatRunUsage, USAGE_HEADS } from "../usagetext.js";
import { renderKey } from "./document.js";
import { type Html, html, renderTable } from "./html.js";
import { buildSlotLanes } from "./lanes.js";
import { renderLogLink } from "./loglinks.js";
import { NAMES, SPAN_KINDS } from "./spans.js";
import { renderTimeline, type TimelineBreak } from "./timeline.js";

/** Further events and causes of failures are only counted. */
const MAX_EVENTS = 500;
const MAX_NAMED_CHUNKS = 20;

/** Renders what a run of a job did: its timeline, its nodes, its failures. `logs`: as `renderLogLink` takes it. Pure. */
export function renderJobSections(history: RunHistory, logs?: string): Html[] {
  const breakdown = breakDownRun(history);
  return [
    ...formatPilots(history.status.live?.pilots).map((line) => html`<p>${line}</p>`),
    html`<h2>Slots over time</h2>`,
    renderKey([
      ...[...SPAN_KINDS].reverse().map((kind) => [kind, NAMES[kind]] as [typeof kind, string]),
      ["break", "a new session"],
    ]),
    renderTimeline(buildSlotLanes(history), history.seconds, listBreaks(history.sessions), logs),
    ...renderFailures(history, logs),
    html`<h2>Rates of the nodes</h2>`,
    renderRateBars(breakdown),
    html`<h2>Nodes and slots</h2>`,
    renderTable("figures", ["", ...COLUMN_HEADS], buildRows(breakdown)),
    ...renderUsage(history),
    ...renderRunEvents(breakdown),
    ...renderSlowest(breakdown, logs),
  ];
}

/** Returns where sessions after the first one began. */
export function listBreaks(sessions: readonly RunSession[]): TimelineBreak[] {
  return sessions
    .slice(1)
    .map(({ from, number, began }) => ({ at: from, title: `session ${number} began, on ${began}` }));
}

/** Renders a block for each cause: the first failed chunk in full, and the names of some others. */
function renderFailures({ failures }: RunHistory, logs: string | undefined): Html[] {
  if (failures.length === 0) return [];
  const groups = new FailureGroups(failures).all;
  const blocks = groups.map((group) => {
    const { chunks, cause, first } = group;
    const others = chunks === 1 ? "" : renderOtherChunks(group, logs);
    // A chunk without a slot has never run.
    const log = logs === undefined || first.slot < 0 ? "" : html` (${renderLogLink(logs, first.chunk, "log")})`;
    const lines = selectLastLines(first);
    const stderr = lines.length === 0 ? "" : html`<pre>${toPrintableText(lines)}</pre>`;
    return html`<h3>${pluralize(chunks, "chunk")}: ${cause}</h3><p>${chunks === 1 ? "" : "first: "}${describeFailure(first)}${log}</p>${stderr}${others}`;
  });
  return [html`<h2>Failed chunks</h2>`, ...blocks];
}

/** Renders the names of some chunks of a group beside the first, and how many more there are. */
function renderOtherChunks({ chunks, others }: FailureGroup, logs: string | undefined): Html {
  const links = others.slice(0, MAX_NAMED_CHUNKS).map((chunk) => renderLogLink(logs, chunk));
  const rest = chunks - 1 - links.length;
  return html`<p>others: ${links.reduce((all, link) => html`${all}, ${link}`)}${rest === 0 ? "" : ` and ${formatCount(rest)} more`}</p>`;
}

function renderRateBars({ nodes }: RunBreakdown): Html {
  const most = Math.max(...nodes.map((node) => node.rate ?? 0), Number.MIN_VALUE);
  const lines = nodes.map(({ node, rate = 0 }) => {
    const width = ((100 * rate) / most).toFixed(1);
    return html`<div><span>${node}</span><i style="width: ${width}%"></i><span>${formatRate(rate)}</span></div>`;
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

function renderUsage({ usage }: RunHistory): Html[] {
  if (usage === undefined) return [];
  return [
    html`<h2>GPUs</h2><p>${formatRunUsage(usage)}. Of results that were kept; figures are mean / max.</p>`,
    renderTable("figures", USAGE_HEADS, buildUsageRows(usage)),
  ];
}

function renderRunEvents({ happenings }: RunBreakdown): Html[] {
  if (happenings.length === 0) return [];
  const rows = happenings
    .slice(0, MAX_EVENTS)
    .map(({ at, node, slot, what }) => [
      formatDuration(at),
      `${node}${slot === undefined ? "" : ` slot ${slot}`}`,
      what,
    ]);
  const rest = happenings.length - rows.length;
  const more = rest === 0 ? [] : [html`<p>and ${pluralize(rest, "more event")}: see muster report -v</p>`];
  return [html`<h2>Events</h2>`, renderTable("words", ["after", "where", "event"], rows), ...more];
}

function renderSlowest({ slowest }: RunBreakdown, logs: string | undefined): Html[] {
  if (slowest.length === 0) return [];
  const rows = slowest.map(({ chunk, node, slot, attempt, seconds }) => [
    renderLogLink(logs, chunk),
    `${node} slot ${slot}`,
    `${attempt}`,
    formatDuration(seconds),
  ]);
  return [html`<h2>Slowest chunks</h2>`, renderTable("words", ["chunk", "where", "attempt", "duration"], rows)];
}
