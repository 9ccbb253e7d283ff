import { findYamlScalars, formatYamlScalar } from "../../schemas/yamledit.js";
import { parseJsonPointer } from "./jsonpointer.js";
import { createValueEditor, formatPlainScalar, type ValueEditor } from "./valueeditor.js";

/** Returns an editor for the value at a path (`/key/0/key`, as a JSON pointer) of a YAML file. Keeps formatting, comments and quotes. */
export function createYamlEditor(path: string): ValueEditor {
  const keys = parseJsonPointer(path);
  return createValueEditor(
    (text) => findYamlScalars(text, keys, path),
    (value, place, text) =>
      value.kind === "text"
        ? formatYamlScalar(value.text, text.slice(place.start, place.end))
        : formatPlainScalar(value),
  );
}
