import { readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative } from "node:path";
import type { BenchFindings } from "../executor/bench/benchfindings.js";
import type { ProposedLine } from "../executor/bench/proposals.js";
import { parseInventory } from "../fleet/inventory.js";
import { quote } from "../fleet/quote.js";
import { createPatch } from "../playbooks/engine/unifieddiff.js";
import { InvalidFileError } from "../schemas/errors.js";
import { parseSource } from "../schemas/parsesource.js";
import { setYamlKey } from "../schemas/yamlinsert.js";

/**
 * Writes the proposed lines as a diff of the inventory. Returns the diff, its file, the command that applies it where muster was started, and
 * the lines that cannot be edited into the inventory.
 */
export function writeProposal(
  lines: readonly ProposedLine[],
  inventory: string | undefined,
  folder: string,
): Pick<BenchFindings, "diff" | "diffFile" | "applyWith" | "unedited"> {
  if (lines.length === 0) return { unedited: [] };
  if (inventory === undefined) return { unedited: lines.map((line) => ({ line, reason: "is no file" })) };
  const have = readFileSync(inventory, "utf8");
  const { text, unedited } = editInventory(have, lines, inventory);
  if (text === have) return { unedited };
  const path = relative(process.cwd(), inventory);
  const isBelow = !path.startsWith("..") && !isAbsolute(path);
  const diff = createPatch(isBelow ? path : basename(inventory), have, text);
  const file = join(folder, "inventory.diff");
  writeFileSync(file, diff);
  const diffFile = relative(process.cwd(), file);
  // `patch` refuses to change files that are not below the present folder.
  const elsewhere = isBelow ? "" : ` -d ${quote(dirname(inventory))}`;
  return { diff, diffFile, applyWith: `patch${elsewhere} -p1 < ${quote(diffFile)}`, unedited };
}

/** Edits each line into the text of an inventory. One that would make the inventory invalid is left out. */
function editInventory(have: string, lines: readonly ProposedLine[], file: string) {
  let text = have;
  const unedited: { line: ProposedLine; reason: string }[] = [];
  for (const line of lines) {
    const edited = setYamlKey(text, line.path, line.key, line.value);
    const reason = "problem" in edited ? edited.problem : findProblem(edited.text, file);
    if (reason !== undefined) unedited.push({ line, reason });
    else if ("text" in edited) text = edited.text;
  }
  return { text, unedited };
}

function findProblem(text: string, file: string): string | undefined {
  try {
    parseInventory(parseSource(file, text), file);
    return undefined;
  } catch (error) {
    if (!(error instanceof InvalidFileError)) throw error;
    return `would be invalid: ${error.problems[0]?.message}`;
  }
}
