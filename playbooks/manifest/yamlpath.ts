import { findYamlScalars, formatYamlScalar } from "../../schemas/yamledit.js";
import { parseJsonPointer } from "./jsonpointer.js";
import { createValueEditor, formatPlainScalar, type ValueEditor } from "./valueeditor.js";

/** What a path (`/key/0/key`, as in a JSON pointer) leads to in a YAML file. Formatting, comments and quotes stay as they are. */
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
