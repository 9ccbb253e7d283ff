import { findYamlScalars, formatYamlScalar } from "../../schemas/yamledit.js";
import { formatYamlFloat } from "../../schemas/yamlversions.js";
import { parseJsonPointer } from "./jsonpointer.js";
import { createValueEditor, formatPlainScalar, type ScalarValue, type ValueEditor } from "./valueeditor.js";

/** Returns an editor for the value at a path (`/key/0/key`, as a JSON pointer) of a YAML file. Keeps formatting, comments and quotes. */
export function createYamlEditor(path: string): ValueEditor {
  const keys = parseJsonPointer(path);
  return createValueEditor(
    (text) => findYamlScalars(text, keys, path),
    (value, place, text) => formatScalar(value, text.slice(place.start, place.end)),
  );
}

/** `old`: the scalar as it is written now. */
function formatScalar(value: ScalarValue, old: string): string | undefined {
  if (value.kind === "text") return formatYamlScalar(value.text, old);
  return value.kind === "float" ? formatYamlFloat(value.text) : formatPlainScalar(value);
}
