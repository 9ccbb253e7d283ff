import type { WantedLine } from "../fleet/nodestate.js";
import { decodeBytes, encodeBytes } from "../schemas/bytetext.js";
import { MusterError } from "../schemas/errors.js";
import { findEditProblem, isPrivate } from "./engine/fileresource.js";
import { needsRoot } from "./engine/needsroot.js";
import type { Difference, FileState, PlaybookContext, Resource } from "./engine/resource.js";
import { MAX_DIFF_BYTES, unifiedDiff } from "./engine/unifieddiff.js";
import { editLines, findLineProblem } from "./lines/editlines.js";

/** Keeps lines and blocks in files of the node: `lines` of the inventory. */
export default function* lines({ node }: PlaybookContext): Generator<Resource> {
  for (const [path, wanted] of Object.entries(node.state.lines))
    yield linesResource({ path, lines: wanted }) as Resource;
}

/**
 * Returns a resource for lines and blocks in a file, which is created where it is missing. Mode and owner of a file that exists are kept.
 * Throws a MusterError (PLAYBOOK) for a wanted line that contradicts itself.
 */
export function linesResource({ path, lines }: { path: string; lines: readonly WantedLine[] }): Resource<FileState> {
  for (const [index, one] of lines.entries()) {
    const problem = findLineProblem(one);
    if (problem !== undefined) throw new MusterError("PLAYBOOK", `lines.${path}[${index}] ${problem}`);
  }
  const become = needsRoot(path);
  return {
    name: `lines of ${path}`,
    probe: { ask: "file", path, cap: MAX_DIFF_BYTES, become },
    diff: (have) => diffLines(path, have, lines),
    change: async (have, { place }) => {
      const refusal = findEditProblem(have);
      if (refusal !== undefined) throw new MusterError("REFUSED", `${path}: ${refusal}`);
      await place({ path, content: encodeBytes(editLines(readText(have), lines)), become });
    },
  };
}

/** Pure: compares a file with what the edits make of it. */
function diffLines(path: string, have: FileState, lines: readonly WantedLine[]): Difference[] {
  const refusal = findEditProblem(have);
  if (refusal !== undefined) return [{ what: "file", have: refusal, want: "a text file" }];
  const text = readText(have);
  const edited = editLines(text, lines);
  if (edited === text) return [];
  const wrong = lines.filter((one) => editLines(text, [one]) !== text).map(describeLine);
  const diff = isPrivate(have) ? undefined : unifiedDiff(path, encodeBytes(text), encodeBytes(edited));
  return [{ what: "content", have: have.kind === "missing" ? "no file" : "differs", want: wrong.join("; "), diff }];
}

function readText({ content = "" }: FileState): string {
  return decodeBytes(Buffer.from(content, "base64"));
}

function describeLine({ line, absent, block, name = "muster" }: WantedLine): string {
  if (absent !== undefined) return `no line ${JSON.stringify(absent)}`;
  return block === undefined ? JSON.stringify(line) : `block ${name}`;
}
