import type { Manifest } from "../fleet/inventory.js";
import { MusterError } from "../schemas/errors.js";
import type { ChangeContext, FileState, Playbook, Resource } from "./engine/resource.js";
import { unifiedDiff } from "./engine/unifieddiff.js";
import { diffManifest, MAX_MANIFEST_BYTES, replaceValues } from "./manifest/diffmanifest.js";

/** One value in several files: the inventory's `manifests`. */
const manifestSync: Playbook = ({ inventory }) => inventory.manifests.map(manifestResource);
export default manifestSync;

function manifestResource(manifest: Manifest): Resource<FileState[]> {
  const of = manifest.in.map(({ file }) => ({ ask: "file", path: file, cap: MAX_MANIFEST_BYTES }) as const);
  return {
    name: `manifest ${manifest.name}`,
    probe: { ask: "all", of },
    diff: (files) => addDiffs(manifest, files, diffManifest(manifest, files)),
    change: (files, hands) => writeValues(manifest, files, hands),
  };
}

/** Each file that would change, as the unified diff of its first difference. */
function addDiffs(manifest: Manifest, files: FileState[], found: ReturnType<typeof diffManifest>) {
  const told = new Set<string>();
  return found.map((difference) => {
    const index = manifest.in.findIndex(({ file }) => difference.what.startsWith(`${file}:`) && !told.has(file));
    if (index < 0) return difference;
    const { file } = manifest.in[index]!;
    told.add(file);
    const before = Buffer.from(files[index]!.content ?? "", "base64");
    const { text } = replaceValues(manifest, file, files[index]!);
    return text === undefined ? difference : { ...difference, diff: unifiedDiff(file, before, Buffer.from(text)) };
  });
}

/** Writes what can be written; then says what cannot. */
async function writeValues(manifest: Manifest, files: FileState[], hands: ChangeContext): Promise<void> {
  const problems: string[] = [];
  for (const file of new Set(manifest.in.map((spot) => spot.file))) {
    const state = files[manifest.in.findIndex((spot) => spot.file === file)]!;
    const result = replaceValues(manifest, file, state);
    problems.push(...result.problems);
    if (result.text === undefined) continue;
    const content = Buffer.from(result.text);
    if (content.toString("base64") !== state.content) await hands.place({ path: file, content });
  }
  if (problems.length === 0) return;
  const next = `Put the value there by hand once, or correct manifests.${manifest.name} in the inventory.`;
  throw new MusterError("MANIFEST", 69, problems.join("; "), { next });
}
