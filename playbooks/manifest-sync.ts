import type { Manifest } from "../fleet/inventory.js";
import { encodeBytes } from "../schemas/bytetext.js";
import { MusterError } from "../schemas/errors.js";
import type { ChangeContext, FileState, Playbook, Resource } from "./engine/resource.js";
import { unifiedDiff } from "./engine/unifieddiff.js";
import { diffManifest, MAX_MANIFEST_BYTES, replaceValues } from "./manifest/diffmanifest.js";

/** Keeps one value in several files in sync: `manifests` of the inventory. */
const manifestSync: Playbook = ({ inventory }) => inventory.manifests.map(manifestResource);
export default manifestSync;

function manifestResource(manifest: Manifest): Resource<FileState[]> {
  const of = manifest.in.map(({ file }) => ({ ask: "file", path: file, cap: MAX_MANIFEST_BYTES }) as const);
  return {
    name: `manifest ${manifest.name}`,
    probe: { ask: "all", of },
    diff: (files) => addDiffs(manifest, files, diffManifest(manifest, files)),
    change: (files, context) => writeValues(manifest, files, context),
  };
}

/** Adds a unified diff of each file that would change to the first difference of that file. */
function addDiffs(manifest: Manifest, files: FileState[], found: ReturnType<typeof diffManifest>) {
  const shown = new Set<string>();
  return found.map((difference) => {
    const index = manifest.in.findIndex(({ file }) => difference.what.startsWith(`${file}:`) && !shown.has(file));
    if (index < 0) return difference;
    const { file } = manifest.in[index]!;
    shown.add(file);
    const before = Buffer.from(files[index]!.content ?? "", "base64");
    const { text } = replaceValues(manifest, file, files[index]!);
    return text === undefined ? difference : { ...difference, diff: unifiedDiff(file, before, encodeBytes(text)) };
  });
}

/** Writes the files that can be written; then rejects with a MusterError (MANIFEST) if others cannot. */
async function writeValues(manifest: Manifest, files: FileState[], context: ChangeContext): Promise<void> {
  const problems: string[] = [];
  for (const file of new Set(manifest.in.map((location) => location.file))) {
    const state = files[manifest.in.findIndex((location) => location.file === file)]!;
    const result = replaceValues(manifest, file, state);
    problems.push(...result.problems);
    if (result.text === undefined) continue;
    const content = encodeBytes(result.text);
    if (content.toString("base64") !== state.content) await context.place({ path: file, content });
  }
  if (problems.length === 0) return;
  const next = `Set the value there by hand once, or correct manifests.${manifest.name} in the inventory.`;
  throw new MusterError("MANIFEST", problems.join("; "), { next });
}
