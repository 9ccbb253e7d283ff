import type { Problem } from "../schemas/errors.js";
import type { KeyPath, Source } from "../schemas/source.js";
import type { InventoryFile } from "../schemas/types.js";

interface Layer {
  path: KeyPath;
  limits: NonNullable<InventoryFile["defaults"]>["limits"];
}

/** Returns the `limits` whose best value is above the largest safe one, wherever they are in the inventory. */
export function findLimitProblems(source: Source, { defaults, profiles, nodes }: InventoryFile): Problem[] {
  const layersOf = (key: "profiles" | "nodes", of: typeof profiles | typeof nodes) =>
    Object.entries(of ?? {}).map(([name, keys]): Layer => ({ path: [key, name], limits: keys?.limits }));
  const layers: Layer[] = [
    { path: ["defaults"], limits: defaults?.limits },
    ...layersOf("profiles", profiles),
    ...layersOf("nodes", nodes),
  ];
  return layers.flatMap(({ path, limits }) =>
    Object.entries(limits ?? {}).flatMap(([name, { best, max }]) => {
      if (best === undefined || max === undefined || best <= max) return [];
      const at = [...path, "limits", name, "best"];
      const message = `${at.join(".")}: ${best} is above max, which is ${max}`;
      return [{ ...source.positionOf(at), message, hint: "write a best value that is safe, or a larger max" }];
    }),
  );
}
