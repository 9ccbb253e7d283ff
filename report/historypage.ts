import type { RunHistory } from "../executor/run/record/runhistory.js";
import { describeRunHead } from "./historytext.js";
import { renderDocument } from "./page/document.js";
import { renderJobSections } from "./page/jobsections.js";

/** Renders the report of a run of a job as a self-contained HTML page without scripts or external resources. Pure. */
export function renderHistoryPage(history: RunHistory): string {
  const { title, facts } = describeRunHead(history);
  return renderDocument(title, [...facts, ...history.missing], renderJobSections(history));
}
