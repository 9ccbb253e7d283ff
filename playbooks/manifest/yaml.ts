import { readYamlScalars, spellYamlScalar } from "../../schemas/yamledit.js";
import { pointerKeys } from "./json.js";
import { type Form, form, plainText } from "./value.js";

/** What a path (`/key/0/key`, as in a JSON pointer) leads to in a YAML file. Formatting, comments and quotes stay as they are. */
export function yamlPath(path: string): Form {
  const keys = pointerKeys(path);
  return form(
    (text) => readYamlScalars(text, keys, path),
    (value, place, text) =>
      value.kind === "text" ? spellYamlScalar(value.text, text.slice(place.start, place.end)) : plainText(value),
  );
}
