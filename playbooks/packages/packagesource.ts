import type { WantedPackageSource } from "../../fleet/nodestate.js";
import { MusterError } from "../../schemas/errors.js";
import { diffFile } from "../engine/fileresource.js";
import { readLocalBytes } from "../engine/localsource.js";
import type { Difference, FileState, Probe, Resource } from "../engine/resource.js";
import { MAX_DIFF_BYTES } from "../engine/unifieddiff.js";
import { aptUpdateCommand } from "./aptcommands.js";
import { readKeyFingerprint } from "./keyfingerprint.js";
import { runApt } from "./runapt.js";

/** The names of resources for package sources begin with this. */
export const SOURCE_PREFIX = "package source ";
const MODE = 0o644;
const KEY_FOLDER = "/etc/apt/keyrings";

/** A file of a package source, as it must be on the node. */
interface SourceFile {
  path: string;
  bytes: Uint8Array;
}

/**
 * Returns a resource for a source of packages and its signing key; after a change the lists of packages are read again. Throws a
 * MusterError (PLAYBOOK) where the key cannot be read, or has another fingerprint. `where`: what the user calls its file.
 */
export function packageSourceResource(
  name: string,
  source: WantedPackageSource,
  where = `package_sources.${name}.key`,
): Resource<FileState[]> {
  const key = readKey(where, source);
  const keyPath = `${KEY_FOLDER}/muster-${name}${isArmored(key) ? ".asc" : ".gpg"}`;
  const files: SourceFile[] = [
    { path: keyPath, bytes: key },
    { path: `/etc/apt/sources.list.d/muster-${name}.sources`, bytes: Buffer.from(formatSource(source, keyPath)) },
  ];
  return {
    name: SOURCE_PREFIX + name,
    probe: {
      ask: "all",
      of: files.map(({ path }): Probe => ({ ask: "file", path, cap: MAX_DIFF_BYTES })),
    },
    diff: (states) => files.flatMap((file, index) => diffSourceFile(file, states[index])),
    change: async (_, context) => {
      for (const { path, bytes } of files) await context.place({ path, content: bytes, mode: MODE, become: true });
    },
    followUp: async (context) => void (await runApt(aptUpdateCommand(), context)),
  };
}

function diffSourceFile({ path, bytes }: SourceFile, have: FileState | undefined): Difference[] {
  const found = diffFile(have ?? { kind: "missing" }, { path, bytes, mode: MODE });
  return found.map((one) => ({ ...one, what: `${path}: ${one.what}` }));
}

/** The deb822 format of sources.list(5). */
function formatSource(source: WantedPackageSource, keyPath: string): string {
  const { uri, suite, components = ["main"], architectures } = source;
  return [
    "# Written by `muster provision packages`, from the inventory; a change here is undone by the next one.",
    "Types: deb",
    `URIs: ${uri}`,
    `Suites: ${suite}`,
    ...(suite.endsWith("/") ? [] : [`Components: ${components.join(" ")}`]),
    ...(architectures === undefined ? [] : [`Architectures: ${architectures.join(" ")}`]),
    `Signed-By: ${keyPath}`,
    "",
  ].join("\n");
}

function readKey(where: string, source: WantedPackageSource): Buffer {
  const key = readLocalBytes(source.key, where);
  const wanted = source.fingerprint.replaceAll(" ", "").toUpperCase();
  const found = readKeyFingerprint(key);
  if (found === undefined)
    throw new MusterError("PLAYBOOK", `${where}: ${source.key} is not one OpenPGP public key`, {
      next: "Export one with `gpg --export --armor KEY`, or download the key of the source.",
    });
  if (found !== wanted)
    throw new MusterError("PLAYBOOK", `${where}: the key has the fingerprint ${found}, not ${wanted}`, {
      next: "Do not use it before you know why: compare it with what the owner of the source publishes.",
    });
  return key;
}

function isArmored(key: Buffer): boolean {
  return key.includes("-----BEGIN PGP PUBLIC KEY BLOCK-----");
}
