import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Node } from "../node.js";

/** A program that muster runs on this machine, and its purpose. */
export interface RequiredProgram {
  program: string;
  what: string;
  /** The Debian package that has it. */
  pack: string;
}

/** Lists the programs that work on these nodes requires on this machine, besides Node.js. */
export function listRequiredPrograms(nodes: Node[]): RequiredProgram[] {
  const wanted: RequiredProgram[] = [
    { program: "flock", what: "to lock a run directory against other coordinators", pack: "util-linux" },
  ];
  if (nodes.some(({ connection }) => connection === "ssh"))
    wanted.push({ program: "ssh", what: "to resolve ~/.ssh/config as OpenSSH does", pack: "openssh-client" });
  for (const node of nodes.filter(({ connection }) => connection === "local"))
    wanted.push({ program: node.python, what: `chunks on ${node.name}`, pack: "python3" });
  return wanted;
}

/** Whether a program is executable here: a path, or a name found in the search path `path`. */
export function isInstalled(program: string, path: string): boolean {
  const places = program.includes("/")
    ? [program]
    : path.split(delimiter).map((folder) => join(folder || ".", program));
  return places.some((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
