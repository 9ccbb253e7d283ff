import { existsSync } from "node:fs";
import { ConnectionError, type NodeStep } from "../connectionerror.js";

/**
 * Splits a list of known_hosts files as `ssh -G` prints it: paths with blanks are printed without quotes. A word that begins neither with
 * `/` nor with `~` continues the path before it. `expand` is applied to each path. Throws a ConnectionError (CONFIG) if a file exists that
 * another reading of the list names: it might hold the key that decides.
 */
export function splitFileList(
  option: string,
  list: string,
  where: NodeStep,
  expand = (path: string): string => path,
): string[] {
  if (list === "none") return [];
  const words = list.split(" ");
  const paths: string[] = [];
  for (const word of words) {
    if (paths.length > 0 && !/^[/~]/.test(word)) paths.push(`${paths.pop()} ${word}`);
    else paths.push(word);
  }
  const files = paths.map(expand);
  const other = listReadings(words)
    .map(expand)
    .find((path) => !files.includes(path) && existsSync(path));
  if (other === undefined) return files;
  const reason = `${option} ${list} is ambiguous: ssh prints paths with blanks without quotes, and ${other} exists, too`;
  throw new ConnectionError("CONFIG", where, reason, {
    next: `use paths without blanks in ${option}, or set known_hosts in the inventory`,
  });
}

/** All paths that the words may form: each one, and each sequence of them with the blanks between. */
function listReadings(words: string[]): string[] {
  return words.flatMap((_, from) => words.slice(from).map((_, count) => words.slice(from, from + count + 1).join(" ")));
}
