import { escapeUnsafe } from "../format.js";

/** A fragment of a page. Only `html` creates one, so text from nodes and files in it has been escaped. */
export class Html {
  private constructor(readonly text: string) {}

  /** Escapes every value, for use in an element or a quoted attribute, unless it is a fragment itself. */
  static template(this: void, strings: TemplateStringsArray, ...values: TemplateValue[]): Html {
    return new Html(strings.map((text, at) => text + (at < values.length ? escapeValue(values[at]!) : "")).join(""));
  }
}

/** A value in a template: text, a fragment, or fragments that are put on lines of their own. */
type TemplateValue = string | number | Html | Html[];

/** The template tag that builds all pages. */
export const html = Html.template;

/** Renders a table of `figures` or of `words`. Cells are in the order of the heads. */
export function renderTable(kind: "figures" | "words", heads: string[], rows: (string | Html)[][]): Html {
  const lines = rows.map((cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`);
  return html`<div class="scroll"><table class="${kind}">
<tr>${heads.map((head) => html`<th>${head}</th>`)}</tr>
${lines}
</table></div>`;
}

function escapeValue(value: TemplateValue): string {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map((one) => one.text).join("\n");
  return escapeUnsafe(`${value}`).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
