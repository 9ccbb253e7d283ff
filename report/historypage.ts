import type { RunHistory } from "../executor/run/record/runhistory.js";
import { describeRunHead } from "./historytext.js";
import { renderDocument } from "./page/document.js";
import { renderJobSections } from "./page/jobsections.js";

/**
 * Renders the report of a run of a job as a self-contained HTML page without scripts or external resources. `logs`: the address of the folder
 * with the logs of its chunks, relative to the page; without it, chunks are no links. Pure.
 */
export function renderHistoryPage(history: RunHistory, logs?: string): string {
  const { title, facts } = describeRunHead(history);
  return renderDocument(title, [...facts, ...history.missing], renderJobSections(history, logs));
}
