import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import {
  formatKeyFingerprint,
  judgeHostKey,
  listRecordedTypes,
  nameHost,
  parseKnownHosts,
} from "../../fleet/ssh/knownhosts.js";

/** A public key in wire format: enough for known_hosts, which never looks inside. */
function key(type: string, seed: number): Buffer {
  const field = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  return Buffer.concat([field(Buffer.from(type)), field(Buffer.alloc(32, seed))]);
}

const ours = key("ssh-ed25519", 1);
const other = key("ssh-ed25519", 2);
const rsa = key("ssh-rsa", 3);
const ED = `ssh-ed25519 ${ours.toString("base64")}`;
const OTHER = `ssh-ed25519 ${other.toString("base64")}`;
const RSA = `ssh-rsa ${rsa.toString("base64")}`;

t.test("a host key is judged by known_hosts", async (t) => {
  const cases: [what: string, file: string, host: string, port: number, verdict: string][] = [
    ["nothing", "", "rig", 22, "unknown"],
    [
      "comments and nonsense",
      `# rig ${ED}\n\nrig\nrig ssh-ed25519\nrig 1024 35 123\n@nonsense rig ${ED}`,
      "rig",
      22,
      "unknown",
    ],
    ["the key", `rig ${ED} a comment`, "rig", 22, "trusted"],
    ["the key, indented and with tabs", `  rig\t${ED}\r`, "rig", 22, "trusted"],
    ["letter case of the name", `RIG ${ED}`, "Rig", 22, "trusted"],
    ["a comma list", `10.0.0.1,rig,10.0.0.2 ${ED}`, "10.0.0.2", 22, "trusted"],
    ["a name that only begins alike", `rig ${ED}`, "rigs", 22, "unknown"],
    ["another key", `rig ${OTHER}`, "rig", 22, "changed"],
    ["another key, then the key", `rig ${OTHER}\nrig ${ED}`, "rig", 22, "trusted"],
    ["a key of another type only", `rig ${RSA}`, "rig", 22, "changed"],
    ["keys of both types", `rig ${RSA}\nrig ${ED}`, "rig", 22, "trusted"],
    ["a type that the key is not", `rig ssh-rsa ${ours.toString("base64")}`, "rig", 22, "unknown"],
    ["a star", `*.lan ${ED}`, "rig.lan", 22, "trusted"],
    ["a star that is too narrow", `*.lan ${ED}`, "rig.wan", 22, "unknown"],
    ["a dot is a dot", `r.g ${ED}`, "rig", 22, "unknown"],
    ["a question mark", `rig-? ${ED}`, "rig-b", 22, "trusted"],
    ["a question mark is one", `rig-? ${ED}`, "rig-10", 22, "unknown"],
    ["a negation", `!rig-b,rig-* ${ED}`, "rig-b", 22, "unknown"],
    ["a negation after the match", `rig-*,!rig-b ${ED}`, "rig-b", 22, "unknown"],
    ["a negation of another", `rig-*,!rig-b ${ED}`, "rig-c", 22, "trusted"],
    ["a port", `[rig]:2222 ${ED}`, "rig", 2222, "trusted"],
    ["another port", `[rig]:2223 ${ED}`, "rig", 2222, "unknown"],
    ["a port where 22 is asked", `[rig]:2222 ${ED}`, "rig", 22, "unknown"],
    ["no port vouches for all", `rig ${ED}`, "rig", 2222, "trusted"],
    ["another key at 22 proves nothing", `rig ${OTHER}`, "rig", 2222, "unknown"],
    ["another key at the port decides", `rig ${ED}\n[rig]:2222 ${OTHER}`, "rig", 2222, "changed"],
    ["a port with a star", `[*.lan]:2222 ${ED}`, "rig.lan", 2222, "trusted"],
    ["IPv6", `fe80::1 ${ED}`, "fe80::1", 22, "trusted"],
    ["IPv6 with a port", `[fe80::1]:2222 ${ED}`, "fe80::1", 2222, "trusted"],
    ["revoked", `@revoked rig ${ED}`, "rig", 22, "revoked"],
    ["revoked, though listed", `rig ${ED}\n@revoked * ${ED}`, "rig", 22, "revoked"],
    ["revoked at any port", `@revoked rig ${ED}\n[rig]:2222 ${ED}`, "rig", 2222, "revoked"],
    ["another key revoked", `@revoked rig ${OTHER}\nrig ${ED}`, "rig", 22, "trusted"],
    ["an authority", `@cert-authority * ${ED}`, "rig", 22, "unknown"],
  ];
  for (const [what, file, host, port, verdict] of cases) {
    t.equal(judgeHostKey(parseKnownHosts(file, "known_hosts"), nameHost({ host, port }), ours).kind, verdict, what);
  }
});

t.test("a verdict names the line of known_hosts, and an ignored certificate authority", async (t) => {
  const known = parseKnownHosts(`# first\nrig ${RSA}\nrig ${OTHER}\n@cert-authority * ${ED}`, "file");
  t.match(judgeHostKey(known, nameHost({ host: "rig", port: 22 }), ours), {
    kind: "changed",
    place: { file: "file", line: 3 },
  });
  t.match(judgeHostKey(known, nameHost({ host: "else", port: 22 }), ours), { kind: "unknown", authority: true });
});

t.test("hashed host names match as ssh-keygen writes them", async (t) => {
  const file = join(t.testdir(), "known_hosts");
  writeFileSync(file, `rig ${ED}\n[rig]:2222 ${OTHER}\n`);
  execFileSync("ssh-keygen", ["-q", "-H", "-f", file], { stdio: "ignore" });
  const text = readFileSync(file, "utf8");
  t.notMatch(text, /rig/);
  const known = parseKnownHosts(text, file);
  t.equal(judgeHostKey(known, nameHost({ host: "rig", port: 22 }), ours).kind, "trusted");
  t.equal(judgeHostKey(known, nameHost({ host: "rig", port: 2222 }), other).kind, "trusted");
  t.equal(judgeHostKey(known, nameHost({ host: "rig", port: 22 }), other).kind, "changed");
  t.equal(judgeHostKey(known, nameHost({ host: "gir", port: 22 }), ours).kind, "unknown");
  for (const broken of ["|1|", "|1||", "|2|AAAA|AAAA", "|"]) {
    t.equal(
      judgeHostKey(parseKnownHosts(`${broken} ${ED}`, file), nameHost({ host: "rig", port: 22 }), ours).kind,
      "unknown",
      broken,
    );
  }
});

t.test("the key is asked for in a type that is recorded", async (t) => {
  const known = parseKnownHosts(`rig ${RSA}\n[rig]:2222 ${ED}\n@revoked rig ${ED}`, "file");
  t.same(listRecordedTypes(known, nameHost({ host: "rig", port: 22 })), ["ssh-rsa"]);
  t.same(listRecordedTypes(known, nameHost({ host: "rig", port: 2222 })), ["ssh-ed25519"]);
  t.same(listRecordedTypes(known, nameHost({ host: "rig", port: 2223 })), ["ssh-rsa"], "as the bare name has it");
});

t.test("fingerprints equal those that ssh-keygen shows", async (t) => {
  const folder = t.testdir();
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
  const shown = execFileSync("ssh-keygen", ["-l", "-f", join(folder, "key.pub")], { encoding: "utf8" });
  const [, encoded] = readFileSync(join(folder, "key.pub"), "utf8").split(" ");
  t.equal(formatKeyFingerprint(Buffer.from(encoded!, "base64")), shown.split(" ")[1]);
});
