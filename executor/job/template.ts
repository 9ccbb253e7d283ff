import { findBraceFault, isStray, splitAtBraces, type TemplateFault } from "./braces.js";
import type { Template } from "./job.js";

/**
 * Splits text into literal pieces and placeholders. `{name}` is one of `known`; `{{` and `}}` are braces. Any other brace
 * is a fault, so that a typing error never reaches a program as text.
 */
export function parseTemplate(text: string, known: ReadonlySet<string>): { template: Template; fault?: TemplateFault } {
  if (!/[{}]/.test(text)) return { template: text === "" ? [] : [text] };
  const template: Template[number][] = [];
  let literal = "";
  let hasStray = false;
  for (const piece of splitAtBraces(text)) {
    if (!/^[{}]/.test(piece)) literal += piece;
    else if (piece === "{{" || piece === "}}") literal += piece[0];
    else if (isStray(piece, known)) hasStray = true;
    else {
      if (literal !== "") template.push(literal);
      template.push({ name: piece.slice(1, -1) });
      literal = "";
    }
  }
  if (literal !== "") template.push(literal);
  return { template, fault: hasStray ? findBraceFault(text, known) : undefined };
}

/** Replaces the placeholders that have a value and keeps the others. The values are literal text from then on. */
export function fillTemplate(template: Template, values: ReadonlyMap<string, string>): Template {
  const filled: Template[number][] = [];
  for (const piece of template) {
    const value = typeof piece === "string" ? piece : values.get(piece.name);
    const last = filled.at(-1);
    if (value === undefined) filled.push(piece);
    else if (typeof last === "string") filled[filled.length - 1] = last + value;
    else if (value !== "") filled.push(value);
  }
  return filled;
}

/** Returns the text of a template with every placeholder replaced. Throws Error for a placeholder without a value. */
export function renderTemplate(template: Template, values: Readonly<Record<string, string>>): string {
  return template.map((piece) => (typeof piece === "string" ? piece : placeholderValue(piece.name, values))).join("");
}

function placeholderValue(name: string, values: Readonly<Record<string, string>>): string {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value === undefined) throw new Error(`no value for the placeholder {${name}}`);
  return value;
}
