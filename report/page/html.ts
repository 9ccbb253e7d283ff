import { escapeUnsafe } from "../format.js";

/** A piece of a page. Only `html` makes one, so whatever came from a node or a file has been escaped in it. */
export class Html {
  private constructor(readonly text: string) {}

  /** A template of a page: every value in it is shown as text, in an element or in an attribute's quotes, unless it is a piece itself. */
  static template(this: void, strings: TemplateStringsArray, ...values: TemplateValue[]): Html {
    return new Html(strings.map((text, at) => text + (at < values.length ? escapeValue(values[at]!) : "")).join(""));
  }
}

/** What a template takes: text, a piece, or pieces that stand in lines of their own. */
type TemplateValue = string | number | Html | Html[];

/** The one function that pages are made with. */
export const html = Html.template;

/** A table of `figures` or of `words`; the cells of a row in the order of the heads. */
export function renderTable(kind: "figures" | "words", heads: string[], rows: string[][]): Html {
  const lines = rows.map((cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`);
  return html`<table class="${kind}">
<tr>${heads.map((head) => html`<th>${head}</th>`)}</tr>
${lines}
</table>`;
}

function escapeValue(value: TemplateValue): string {
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map((one) => one.text).join("\n");
  return escapeUnsafe(`${value}`).replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
