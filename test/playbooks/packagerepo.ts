import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { killMarked } from "../lab/processes.js";

/** A package that a test makes: it holds a file with its version, and `files`, by path; those in a folder `bin` are programs. */
export interface TestPackage {
  name: string;
  version: string;
  files?: Readonly<Record<string, string>>;
  /** Further fields of its control file: `Depends: other`. */
  fields?: string[];
}

/** A repository of Debian packages with a signing key of its own. */
export class PackageRepo {
  private readonly home = mkdtempSync(join(tmpdir(), "muster-gpg-"));
  readonly fingerprint: string;

  /** Writes it into `folder`, in the format of a flat repository, and its public key to `keyFile`. Needs dpkg-deb and gpg. */
  constructor(
    private readonly folder: string,
    keyFile: string,
    packages: readonly TestPackage[],
    private readonly origin = "test",
  ) {
    try {
      this.gpg("--passphrase", "", "--quick-gen-key", "test@example.org", "ed25519", "sign");
      const listed = this.gpg("--with-colons", "--fingerprint");
      this.fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(listed)![1]!;
      writeFileSync(keyFile, this.gpg("--armor", "--export"));
      this.write(packages);
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Replaces its packages, or those of a repository beside it that has the same key. */
  write(packages: readonly TestPackage[], folder = this.folder): void {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const index = packages.map((one) => buildPackage(folder, one)).join("\n");
    writeFileSync(join(folder, "Packages"), index);
    const hash = createHash("sha256").update(index).digest("hex");
    const release = `Origin: ${this.origin}\nSuite: test\nDate: ${new Date().toUTCString().replace("GMT", "+0000")}\nSHA256:\n ${hash} ${index.length} Packages\n`;
    writeFileSync(join(folder, "Release"), release);
    this.gpg("--clearsign", "--output", join(folder, "InRelease"), join(folder, "Release"));
  }

  remove(): void {
    // gpg has started an agent for its keys.
    killMarked(`GNUPGHOME=${this.home}`);
    rmSync(this.home, { recursive: true, force: true });
  }

  private gpg(...words: string[]): string {
    const env = { ...process.env, GNUPGHOME: this.home };
    return execFileSync("gpg", ["--batch", "--quiet", "--yes", ...words], { env, encoding: "utf8", stdio: "pipe" });
  }
}

/** Builds a package in a folder and returns its entry for the index. */
function buildPackage(folder: string, { name, version, fields = [], files = {} }: TestPackage): string {
  const tree = join(folder, "tree");
  mkdirSync(join(tree, "DEBIAN"), { recursive: true });
  mkdirSync(join(tree, "usr/share", name), { recursive: true });
  writeFileSync(join(tree, "usr/share", name, "version"), `${version}\n`);
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), content, { mode: basename(dirname(path)) === "bin" ? 0o755 : 0o644 });
  }
  const control = [
    ...[`Package: ${name}`, `Version: ${version}`, "Architecture: all", "Maintainer: test <test@example.org>"],
    ...[...fields, "Description: test"],
  ].join("\n");
  writeFileSync(join(tree, "DEBIAN/control"), `${control}\n`);
  execFileSync("dpkg-deb", ["--root-owner-group", "--build", tree, folder], { stdio: "pipe" });
  rmSync(tree, { recursive: true });
  const file = readdirSync(folder).find((one) => one === `${name}_${version}_all.deb`)!;
  const hash = createHash("sha256")
    .update(readFileSync(join(folder, file)))
    .digest("hex");
  return `${control}\nFilename: ./${file}\nSize: ${statSync(join(folder, file)).size}\nSHA256: ${hash}\n`;
}
