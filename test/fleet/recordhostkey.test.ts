import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import type { Hop } from "../../fleet/ssh/hop.js";
import { checkHostKey, readKnownHosts } from "../../fleet/ssh/hostkeys.js";

const WHERE = { node: "rig", step: "connect" };

function key(seed: number): Buffer {
  const field = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  return Buffer.concat([field(Buffer.from("ssh-ed25519")), field(Buffer.alloc(32, seed))]);
}

const hopTo = (file: string) =>
  ({
    alias: "rig",
    host: "10.0.0.1",
    port: 22,
    user: "me",
    family: 0,
    algorithms: {},
    keyFiles: [],
    certificateFiles: [],
    isKeyNamed: false,
    usesOnlyKeyFiles: false,
    userKnownHosts: [file],
    globalKnownHosts: [],
    checksAddress: false,
    minRsaBits: 0,
    acceptsNewKeys: true,
    hashesNames: false,
  }) satisfies Hop;

t.test("a new key is appended, and all other bytes of the file stay", async (t) => {
  const file = join(t.testdir({}), "known_hosts");
  const line = fc.constantFrom("\n", "\r\n", "rig ssh-rsa AAAA", "# f\xfcr \xe4\xff", "\0", "t\xc3\xbcr", " ");
  const before = fc.oneof(
    fc.array(line).map((parts) => Buffer.from(parts.join(""), "latin1")),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(before, (bytes) => {
      writeFileSync(file, bytes);
      const accepted = checkHostKey(hopTo(file), WHERE, key(1));
      const after = readFileSync(file);
      const gap = bytes.length === 0 || bytes.at(-1) === 10 ? "" : "\n";
      const added = `${gap}10.0.0.1 ssh-ed25519 ${key(1).toString("base64")}\n`;
      return (
        accepted.ok &&
        after.equals(Buffer.concat([bytes, Buffer.from(added)])) &&
        readKnownHosts(hopTo(file)).some((one) => one.hosts === "10.0.0.1") &&
        checkHostKey(hopTo(file), WHERE, key(1)).ok &&
        readFileSync(file).equals(after)
      );
    }),
  );
  appendFileSync(file, "\xe4 in another encoding\n", "latin1");
  t.match(checkHostKey(hopTo(file), WHERE, key(2)), { ok: false, error: { code: "HOST_KEY_CHANGED" } });
});

t.test("nothing is appended to a file whose end cannot be read", async (t) => {
  const folder = join(t.testdir({}), "known_hosts");
  mkdirSync(folder);
  chmodSync(folder, 0o700);
  t.match(checkHostKey(hopTo(folder), WHERE, key(1)), {
    ok: false,
    error: { code: "CONFIG", message: /could not be recorded in .*EISDIR/ },
  });
});
