import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { readKeyFingerprint } from "../../../playbooks/packages/keyfingerprint.js";
import { killMarked } from "../../lab/processes.js";
import { findProgram } from "../../lab/requirements.js";

const skip = findProgram("gpg") === undefined && "needs gpg: apt-get install gpg";

t.test("fingerprints are those of gpg", { skip }, async (t) => {
  const home = mkdtempSync(join(tmpdir(), "muster-gpg-"));
  t.teardown(() => {
    killMarked(`GNUPGHOME=${home}`);
    rmSync(home, { recursive: true, force: true });
  });
  const gpg = (...words: string[]) =>
    execFileSync("gpg", ["--batch", "--quiet", ...words], { env: { ...process.env, GNUPGHOME: home }, stdio: "pipe" });
  for (const kind of ["ed25519", "rsa2048"]) {
    gpg("--passphrase", "", "--quick-gen-key", `${kind}@example.org`, kind, "sign");
    const listed = gpg("--with-colons", "--fingerprint", kind).toString();
    const wanted = /^fpr:+([0-9A-F]{40}):/m.exec(listed)![1];
    const armored = gpg("--armor", "--export", kind);
    t.equal(readKeyFingerprint(armored), wanted, `${kind}, armored`);
    t.equal(readKeyFingerprint(gpg("--export", kind)), wanted, `${kind}, binary`);
    const noted = armored.toString().replace("BLOCK-----\n", "BLOCK-----\nComment: of the test\n");
    t.equal(readKeyFingerprint(Buffer.from(noted)), wanted, `${kind}, with a comment`);
  }
});

t.test("what is no key has no fingerprint", async (t) => {
  for (const text of ["", "x", "\x99", "\x99\xff\xff", "\xc6\xff\xff\xff\xff\xff\x04", "\xc6\x01\x03"])
    t.equal(readKeyFingerprint(Buffer.from(text, "latin1")), undefined, JSON.stringify(text));
});
