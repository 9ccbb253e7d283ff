import { readFileSync, writeFileSync } from "node:fs";
import { parse, stringify } from "yaml";

/** Writes the inventory `file` once more, to `path`, with so many nodes before its own that refuse connections; returns `path`. */
export function addRefusingNodes(file: string, path: string, count: number): string {
  const inventory = parse(readFileSync(file, "utf8"));
  const refusing = Array.from({ length: count }, (_, index) => [
    `off${index + 1}`,
    // Nobody listens at the discard port, and all of 127.0.0.0/8 is this machine.
    { host: `127.1.${index >> 8}.${index & 255}`, port: 9, slots: 2 },
  ]);
  writeFileSync(
    path,
    stringify(
      { ...inventory, nodes: { ...Object.fromEntries(refusing), ...inventory.nodes } },
      { aliasDuplicateObjects: false },
    ),
  );
  return path;
}
