import type { ValueLocation } from "../../fleet/inventory.js";
import { createJsonEditor } from "./jsonpointer.js";
import { createRegexEditor } from "./regexgroup.js";
import { createShellEditor } from "./shellassignment.js";
import type { ValueEditor } from "./valueeditor.js";
import { createYamlEditor } from "./yamlpath.js";

/** Returns the editor for a location of the inventory. */
export function createEditor(location: ValueLocation): ValueEditor {
  if ("assignment" in location) return createShellEditor(location.assignment);
  if ("pointer" in location) return createJsonEditor(location.pointer);
  if ("yaml" in location) return createYamlEditor(location.yaml);
  return createRegexEditor(location.regex);
}

/** Formats a location for a message: the name, pointer, path or regular expression. */
export function formatLocation(location: ValueLocation): string {
  if ("assignment" in location) return location.assignment;
  if ("pointer" in location) return location.pointer;
  return "yaml" in location ? location.yaml : `/${location.regex}/`;
}
