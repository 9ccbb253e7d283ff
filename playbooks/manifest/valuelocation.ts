import type { ValueLocation } from "../../fleet/inventory.js";
import { createJsonEditor } from "./jsonpointer.js";
import { createRegexEditor } from "./regexgroup.js";
import { createShellEditor } from "./shellassignment.js";
import type { ValueEditor } from "./valueeditor.js";
import { createYamlEditor } from "./yamlpath.js";

/** How a value stands at a spot of the inventory. */
export function createEditor(spot: ValueLocation): ValueEditor {
  if ("assignment" in spot) return createShellEditor(spot.assignment);
  if ("pointer" in spot) return createJsonEditor(spot.pointer);
  if ("yaml" in spot) return createYamlEditor(spot.yaml);
  return createRegexEditor(spot.regex);
}

/** What a spot is called in a message: the name, pointer, path or expression. */
export function formatLocation(spot: ValueLocation): string {
  if ("assignment" in spot) return spot.assignment;
  if ("pointer" in spot) return spot.pointer;
  return "yaml" in spot ? spot.yaml : `/${spot.regex}/`;
}
