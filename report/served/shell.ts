import { html } from "../page/html.js";

/** The files of the page that shows a report while its run goes on: a document, its script, and the report itself in a frame. */
export const SHELL_SCRIPT_NAME = "follow.js";
export const REPORT_NAME = "report.html";

/** Lets the document run its own script, and nothing that the report has. The report is in a frame without scripts, whose links open new tabs. */
export const SHELL_POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'";

/** Renders the document around the report. Pure. */
export function renderShell(title: string): string {
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>
:root { color-scheme: light dark; }
html, body { margin: 0; height: 100%; }
body { display: flex; flex-direction: column; font: 13px/1.4 system-ui, sans-serif; }
p { margin: 0; padding: 2px 1em; }
iframe { flex: 1; width: 100%; border: 0; }
</style>
<p role="status" id="state">loading</p>
<noscript><p>This page needs JavaScript to follow the run; <a href="${REPORT_NAME}">the report as it is now</a> does not.</p></noscript>
<script src="${SHELL_SCRIPT_NAME}"></script>
</html>
`.text;
}

/**
 * Fetches the report every two seconds, and replaces the frame when it has changed. The place that was read, and what was unfolded, stay.
 */
export const SHELL_SCRIPT = `"use strict";
const state = document.getElementById("state");
let shown, tag;

function show(text) {
  const next = document.createElement("iframe");
  next.title = "report";
  next.setAttribute("sandbox", "allow-same-origin allow-popups");
  next.srcdoc = text;
  next.addEventListener("load", () => {
    if (shown) {
      const [before, after] = [shown, next].map((frame) => frame.contentDocument);
      const unfolded = before.querySelectorAll("details");
      after.querySelectorAll("details").forEach((one, index) => { if (unfolded[index]) one.open = unfolded[index].open; });
      next.contentWindow.scrollTo(shown.contentWindow.scrollX, shown.contentWindow.scrollY);
      shown.remove();
    }
    next.style.cssText = "";
    shown = next;
  }, { once: true });
  next.style.cssText = shown ? "position: absolute; visibility: hidden; height: 90%" : "";
  document.body.append(next);
}

async function update() {
  try {
    const answer = await fetch("${REPORT_NAME}", { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (answer.status === 200) {
      tag = answer.headers.get("ETag");
      show(await answer.text());
    }
    state.textContent = answer.ok || answer.status === 304 ? "as of " + new Date().toLocaleTimeString() : await answer.text();
  } catch {
    state.textContent = "muster report --serve has ended; this is what it said last";
  }
  setTimeout(update, 2000);
}
update();
`;
