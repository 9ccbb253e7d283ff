import { type Html, html } from "./html.js";

/** The folder of the logs below the address of a served report. */
export const LOGS_FOLDER = "logs/";

/** Returns the folder of the logs of a pipeline's step, as `renderLogLink` takes it. */
export function addStep(logs: string | undefined, step: string): string | undefined {
  return logs === undefined ? undefined : `${logs}${encodeWord(step)}/`;
}

/**
 * Renders a link to what a chunk has printed. `logs`: the folder of the logs, relative to the page; undefined = the page is a file, without
 * logs beside it, and there is only the text.
 */
export function renderLogLink(logs: string | undefined, chunk: string, text = chunk): Html {
  if (logs === undefined) return html`${text}`;
  return html`<a href="${logs}${encodeWord(chunk)}" target="_blank" rel="noopener">${text}</a>`;
}

/** Renders such a link around a part of an image. The Tab key passes over it: there may be thousands. */
export function renderImageLink(logs: string | undefined, chunk: string | undefined, image: Html): Html {
  if (logs === undefined || chunk === undefined) return image;
  return html`<a href="${logs}${encodeWord(chunk)}" target="_blank" rel="noopener" tabindex="-1">${image}</a>`;
}

/** Text from a node may have surrogates that stand alone, which no address can have. */
function encodeWord(text: string): string {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, "\ufffd"));
}
