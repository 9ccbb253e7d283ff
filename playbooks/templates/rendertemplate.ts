/** What a template became. `usesSecret`: whether a secret is a part of it. */
export interface RenderedTemplate {
  text: string;
  usesSecret: boolean;
}

/** A value that a template may name. */
export interface ResolvedValue {
  text: string;
  isSecret: boolean;
}

/** A placeholder that has no value. Line and column begin with 1. */
export interface UnknownPlaceholder {
  name: string;
  line: number;
  column: number;
}

const PLACEHOLDER = /\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** Returns the names that a template uses, each once. */
export function listPlaceholders(template: string): string[] {
  const names = [...template.matchAll(PLACEHOLDER)].flatMap(([, , name]) => (name === undefined ? [] : [name]));
  return [...new Set(names)];
}

/**
 * Pure: fills `{name}` with values; `{{name}}` becomes `{name}`, and all other braces stay. Values are not expanded again.
 * Returns the first placeholder that has no value instead.
 */
export function renderTemplate(
  template: string,
  values: ReadonlyMap<string, ResolvedValue>,
): RenderedTemplate | UnknownPlaceholder {
  let usesSecret = false;
  let unknown: UnknownPlaceholder | undefined;
  const text = template.replace(
    PLACEHOLDER,
    (whole, escaped: string | undefined, name: string | undefined, offset: number) => {
      if (name === undefined) return `{${escaped}}`;
      const value = values.get(name);
      if (value === undefined) {
        const before = template.slice(0, offset).split("\n");
        unknown ??= { name, line: before.length, column: before.at(-1)!.length + 1 };
        return whole;
      }
      usesSecret ||= value.isSecret;
      return value.text;
    },
  );
  return unknown ?? { text, usesSecret };
}
