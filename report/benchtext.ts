import { type BenchedCard, findRate, findWatts, type PassKind } from "../executor/bench/benchcards.js";
import { type BenchFindings, listCards, listFailures } from "../executor/bench/benchfindings.js";
import type { NodeFindings } from "../executor/bench/benchnode.js";
import { findMedian } from "../executor/bench/measurement.js";
import { listCaps, type ProposedLine } from "../executor/bench/proposals.js";
import { groupByKind, SLOW_SHARE } from "../executor/bench/slowcards.js";
import { padToColumns, TERMINAL_COLUMNS } from "./columns.js";
import { formatWithPrefix, shortenMiddle, toPrintableText } from "./format.js";

const ALONE: PassKind = { order: "alone" };
const TOGETHER: PassKind = { order: "together" };
const CELL_COLUMNS = [10, 10, 7, 9, 11];
const NAME_COLUMNS = TERMINAL_COLUMNS - CELL_COLUMNS.reduce((sum, width) => sum + width + 1, 0);

/** Returns what a bench has found, for a terminal: a table of cards, one of power limits, and a line for each finding. */
export function formatBench(findings: BenchFindings): string {
  const { nodes, slow, results, leftOut, notes, unedited, diff, applyWith } = findings;
  const sections = [
    formatCards(nodes, findings.unit),
    formatCaps(nodes),
    [
      ...slow.map(
        ({ card, order, rate, median, alike }) =>
          `slow: ${nameCard(card)}: ${formatWithPrefix(rate)} ${order === "alone" ? "alone" : "at full load"}, ${percent(1 - rate / median)} below the median of ${alike} ${card.kind}`,
      ),
      ...results.wrong.map(({ card, reason }) => `computes wrongly: ${nameCard(card)}: ${reason}`),
      ...results.undecided.map(
        (cards) =>
          `results differ, and none is that of most cards: ${cards.map(nameCard).join(", ")}. A job that computes the same each time shows which are wrong.`,
      ),
      ...listFailures(nodes).map(({ card, reason }) => `failed: ${nameCard(card)}: ${reason}`),
      ...nodes.flatMap(({ node, problems }) =>
        problems.map((one) => withNext(`${node}: ${one.textFor(node)}`, one.next)),
      ),
      ...leftOut.map(({ node, reason, next }) => withNext(`${node}: not measured: ${reason}`, next)),
      ...notes,
    ],
    unedited.map(({ line, reason }) => `write it yourself: ${formatLine(line)}: the inventory ${reason}`),
    diff === undefined ? [] : [...diff.trimEnd().split("\n"), "", `apply it: ${applyWith}`],
  ];
  return toPrintableText(
    sections.filter((lines) => lines.length > 0).flatMap((lines, index) => (index === 0 ? lines : ["", ...lines])),
  );
}

function formatCards(nodes: readonly NodeFindings[], unit: string): string[] {
  const rows = nodes.flatMap(({ node, cards }) => {
    if (!cards.some(({ passes }) => passes.some(({ measurements }) => measurements.length > 0))) return [];
    return [node, ...cards.map((card) => formatRow(`  ${placeOf(card)} ${card.kind}`, listCells(card)))];
  });
  return rows.length === 0 ? [] : [formatRow("node, GPU", ["alone", "full load", "share", "W", unit]), ...rows];
}

/** Of a card that did not compute itself there are no figures. */
function listCells(card: BenchedCard): string[] {
  const [alone, together] = [findRate(card, ALONE), findRate(card, TOGETHER)];
  const last = card.passes.find(({ order }) => order === "together")?.measurements.at(-1);
  const watts = last?.notTheCard === undefined ? last?.watts : undefined;
  const isFailed = card.passes.some(({ failure }) => failure !== undefined);
  return [
    alone === undefined ? "" : formatWithPrefix(alone),
    together === undefined ? "" : formatWithPrefix(together),
    alone === undefined || together === undefined ? "" : percent(together / alone),
    watts === undefined ? "" : `${Math.round(watts.mean)}/${Math.round(watts.max)}`,
    isFailed ? "failed" : "",
  ];
}

function formatCaps(nodes: readonly NodeFindings[]): string[] {
  const groups = groupByKind(listCards(nodes)).map((cards) => ({ kind: cards[0]!.kind, caps: listCaps(cards) }));
  const rows = groups.flatMap(({ kind, caps }) =>
    caps.length === 0
      ? []
      : [
          kind,
          ...caps.map(({ watts, rate, drawnWatts }) =>
            formatRow(`  ${watts} W`, [
              "",
              formatWithPrefix(rate),
              percent(rate / Math.max(...caps.map((one) => one.rate))),
              drawnWatts === undefined ? "" : `${Math.round(drawnWatts)}`,
              drawnWatts ? formatWithPrefix((rate * 3600) / drawnWatts) : "",
            ]),
          ),
        ],
  );
  return rows.length === 0 ? [] : [formatRow("power limit", ["", "full load", "share", "W", "work/Wh"]), ...rows];
}

function formatRow(name: string, cells: string[]): string {
  const rest = cells.map((cell, index) => cell.padStart(CELL_COLUMNS[index]!));
  return `${padToColumns(shortenMiddle(name, NAME_COLUMNS), NAME_COLUMNS)} ${rest.join(" ")}`.trimEnd();
}

function nameCard(card: BenchedCard): string {
  return `${card.node} GPU ${placeOf(card)}`;
}

/** The PCI address without its domain, where that is the usual one; else the slot. */
function placeOf({ pci, slot }: BenchedCard): string {
  return pci?.replace(/^0+:/, "") ?? `slot ${slot}`;
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

function withNext(line: string, next: string | undefined): string {
  return next === undefined ? line : `${line}\n    next: ${next}`;
}

function formatLine({ path, key, value, why }: ProposedLine): string {
  return `${path.join(".")}.${key}: ${value} (${why})`;
}

/** Returns what a bench has found, as JSON shows it. */
export function buildBenchDocument(findings: BenchFindings) {
  const { nodes, slow, results, leftOut, proposals, unedited, notes, unit, folder, diff, diffFile, applyWith } =
    findings;
  const name = (card: BenchedCard) => ({ node: card.node, slot: card.slot, pci: card.pci, kind: card.kind });
  return {
    folder,
    unit,
    nodes: nodes.map(({ node, cards, problems }) => ({
      node,
      cards: cards.map((card) => ({ ...name(card), profile: card.profile, passes: card.passes })),
      problems: problems.map((one) => ({ code: one.code, message: one.textFor(node), next: one.next })),
    })),
    medians: groupByKind(listCards(nodes)).map((cards) => ({
      kind: cards[0]!.kind,
      cards: cards.length,
      alone: medianOf(cards.map((card) => findRate(card, ALONE))),
      together: medianOf(cards.map((card) => findRate(card, TOGETHER))),
      watts: medianOf(cards.map((card) => findWatts(card, TOGETHER))),
      caps: listCaps(cards),
    })),
    leftOut,
    slow: slow.map(({ card, ...rest }) => ({ ...name(card), ...rest, margin: SLOW_SHARE })),
    wrong: results.wrong.map(({ card, reason }) => ({ ...name(card), reason })),
    undecided: results.undecided.map((cards) => cards.map(name)),
    proposals: proposals.map(({ path, key, value, have, why }) => ({ path: path.join("."), key, value, have, why })),
    unedited: unedited.map(({ line, reason }) => ({ path: line.path.join("."), key: line.key, reason })),
    diff,
    diffFile,
    applyWith,
    notes,
  };
}

function medianOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.flatMap((value) => value ?? []);
  return known.length === 0 ? undefined : findMedian(known);
}
