import type { Spot } from "../../fleet/inventory.js";
import { jsonPointer } from "./json.js";
import { regex } from "./regex.js";
import { assignment } from "./shell.js";
import type { Form } from "./value.js";
import { yamlPath } from "./yaml.js";

/** How a value stands at a spot of the inventory. */
export function formOf(spot: Spot): Form {
  if ("assignment" in spot) return assignment(spot.assignment);
  if ("pointer" in spot) return jsonPointer(spot.pointer);
  if ("yaml" in spot) return yamlPath(spot.yaml);
  return regex(spot.regex);
}

/** What a spot is called in a message: the name, pointer, path or expression. */
export function spotName(spot: Spot): string {
  if ("assignment" in spot) return spot.assignment;
  if ("pointer" in spot) return spot.pointer;
  return "yaml" in spot ? spot.yaml : `/${spot.regex}/`;
}
