import { suggest } from "../../schemas/suggest.js";
import type { Template } from "./job.js";

/** A problem of a text with placeholders. */
export interface TemplateFault {
  message: string;
  hint?: string;
}

const PLACEHOLDER = /\{([^{}]*)\}/y;

/**
 * Splits text into literal pieces and placeholders. `{name}` is one of `known`; `{{` and `}}` are braces. Any other brace
 * is a fault, so that a typing error never reaches a program as text.
 */
export function parseTemplate(
  text: string,
  known: ReadonlySet<string>,
): { template: Template; faults: TemplateFault[] } {
  if (!/[{}]/.test(text)) return { template: text === "" ? [] : [text], faults: [] };
  const template: Template[number][] = [];
  const faults: TemplateFault[] = [];
  let literal = "";
  let at = 0;
  while (at < text.length) {
    const character = text[at]!;
    if (character !== "{" && character !== "}") {
      literal += character;
      at++;
    } else if (text[at + 1] === character) {
      literal += character;
      at += 2;
    } else {
      PLACEHOLDER.lastIndex = at;
      const name = PLACEHOLDER.exec(text)?.[1];
      if (name !== undefined && known.has(name)) {
        if (literal !== "") template.push(literal);
        template.push({ name });
        literal = "";
      } else faults.push(placeholderFault(name, character, known));
      at += name === undefined ? 1 : name.length + 2;
    }
  }
  if (literal !== "") template.push(literal);
  return { template, faults };
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

function placeholderFault(name: string | undefined, brace: string, known: ReadonlySet<string>): TemplateFault {
  const braces = "write {{ and }} for literal braces";
  if (name === undefined) {
    return { message: brace === "{" ? 'a "{" is not closed' : 'a "}" has no matching "{"', hint: braces };
  }
  if (!/^[A-Za-z_][A-Za-z0-9_-]*$/.test(name)) return { message: `{${name}} is not a placeholder`, hint: braces };
  return { message: `unknown placeholder {${name}}`, hint: suggest(name, known) };
}
