import { createValueEditor, type ValueEditor } from "./valueeditor.js";

/** Returns an editor for the text that the one group of a regular expression captures, at every match; `^` and `$` match at lines. */
export function createRegexEditor(pattern: string): ValueEditor {
  const expression = new RegExp(pattern, "dgm");
  return createValueEditor(
    (text) => {
      const spans = [...text.matchAll(expression)].flatMap((match) => (match.indices?.[1] ? [match.indices[1]] : []));
      if (spans.length === 0) return { problem: `has nothing that /${pattern}/ matches` };
      return { found: spans.map(([start, end]) => ({ kind: "untyped", text: text.slice(start, end), start, end })) };
    },
    (value) => value.text,
  );
}
