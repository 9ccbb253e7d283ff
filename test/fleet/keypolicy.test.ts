import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ssh2, { type ParsedKey } from "ssh2";
import t from "tap";
import { listUnusedSettings, rejectKey, restrictSignatures } from "../../fleet/ssh/keypolicy.js";

const folder = t.testdir({});

function makeKey(...words: string[]): ParsedKey {
  const path = join(folder, words.join(""));
  execFileSync("ssh-keygen", ["-q", "-N", "", "-f", path, ...words]);
  return ssh2.utils.parseKey(readFileSync(path)) as ParsedKey;
}

const rsa = makeKey("-t", "rsa", "-b", "2048");
const ed25519 = makeKey("-t", "ed25519");

t.test("PubkeyAcceptedAlgorithms and RequiredRSASize exclude keys", async (t) => {
  const cases: [key: ParsedKey, algorithms: string[] | undefined, minRsaBits: number, problem: RegExp | undefined][] = [
    [rsa, undefined, 0, undefined],
    [rsa, ["rsa-sha2-256"], 2048, undefined],
    [rsa, ["ssh-rsa"], 1024, undefined],
    [rsa, ["ssh-ed25519"], 0, /ssh-rsa key, which PubkeyAcceptedAlgorithms excludes/],
    [rsa, undefined, 2049, /has 2048 bits, and RequiredRSASize is 2049/],
    [ed25519, ["ssh-ed25519"], 4096, undefined],
    [ed25519, ["rsa-sha2-256"], 0, /ssh-ed25519 key, which/],
  ];
  for (const [key, keyAlgorithms, minRsaBits, problem] of cases) {
    const found = rejectKey(key, { keyAlgorithms, minRsaBits });
    if (problem === undefined) t.equal(found, undefined);
    else t.match(found, problem);
  }
});

t.test("an RSA key makes SHA-1 signatures only where ssh-rsa is accepted", async (t) => {
  const data = Buffer.from("data");
  const strict = restrictSignatures(rsa, { keyAlgorithms: ["rsa-sha2-512", "rsa-sha2-256"] });
  t.match(strict.sign(data, "sha1"), { message: /SHA-1/ });
  t.ok(rsa.verify(data, strict.sign(data, "sha256"), "sha256"));
  t.equal(strict.type, "ssh-rsa");
  t.ok(strict.getPublicSSH().equals(rsa.getPublicSSH()));
  t.ok(strict.isPrivateKey());
  const lax = restrictSignatures(rsa, { keyAlgorithms: ["ssh-rsa"] });
  t.ok(rsa.verify(data, lax.sign(data, "sha1"), "sha1"));
  t.equal(restrictSignatures(ed25519, { keyAlgorithms: ["ssh-ed25519"] }), ed25519);
});

t.test("certificates and PKCS#11 libraries that exist are named", async (t) => {
  const key = join(folder, "id");
  writeFileSync(`${key}-cert.pub`, "");
  const settings = {
    certificateFiles: [join(folder, "absent")],
    keyFiles: [key, `${key}2`],
    keyProvider: "/usr/lib/pkcs11.so",
  };
  t.match(listUnusedSettings(settings), [/id-cert.pub is a certificate/, /PKCS11Provider .*ssh-add -s/]);
  t.same(listUnusedSettings({ certificateFiles: [], keyFiles: [], keyProvider: undefined }), []);
});
