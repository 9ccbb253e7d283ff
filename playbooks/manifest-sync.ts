import type { Manifest } from "../fleet/inventory.js";
import { MusterError } from "../schemas/errors.js";
import type { FileState, Hands, Playbook, Resource } from "./engine/resource.js";
import { unifiedDiff } from "./engine/unified.js";
import { LARGEST, manifestDifferences, mended } from "./manifest/sync.js";

/** One value in several files: the inventory's `manifests`. */
const manifestSync: Playbook = ({ inventory }) => inventory.manifests.map(resourceOf);
export default manifestSync;

function resourceOf(manifest: Manifest): Resource<FileState[]> {
  const of = manifest.in.map(({ file }) => ({ ask: "file", path: file, cap: LARGEST }) as const);
  return {
    name: `manifest ${manifest.name}`,
    probe: { ask: "all", of },
    diff: (files) => withDiffs(manifest, files, manifestDifferences(manifest, files)),
    change: (files, hands) => write(manifest, files, hands),
  };
}

/** Each file that would change, as the unified diff of its first difference. */
function withDiffs(manifest: Manifest, files: FileState[], found: ReturnType<typeof manifestDifferences>) {
  const told = new Set<string>();
  return found.map((difference) => {
    const index = manifest.in.findIndex(({ file }) => difference.what.startsWith(`${file}:`) && !told.has(file));
    if (index < 0) return difference;
    const { file } = manifest.in[index]!;
    told.add(file);
    const before = Buffer.from(files[index]!.content ?? "", "base64");
    const { text } = mended(manifest, file, files[index]!);
    return text === undefined ? difference : { ...difference, diff: unifiedDiff(file, before, Buffer.from(text)) };
  });
}

/** Writes what can be written; then says what cannot. */
async function write(manifest: Manifest, files: FileState[], hands: Hands): Promise<void> {
  const problems: string[] = [];
  for (const file of new Set(manifest.in.map((spot) => spot.file))) {
    const state = files[manifest.in.findIndex((spot) => spot.file === file)]!;
    const result = mended(manifest, file, state);
    problems.push(...result.problems);
    if (result.text === undefined) continue;
    const content = Buffer.from(result.text);
    if (content.toString("base64") !== state.content) await hands.place({ path: file, content });
  }
  if (problems.length === 0) return;
  const next = `Put the value there by hand once, or correct manifests.${manifest.name} in the inventory.`;
  throw new MusterError("MANIFEST", 69, problems.join("; "), { next });
}
