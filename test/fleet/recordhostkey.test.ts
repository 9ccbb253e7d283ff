import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import type { Hop } from "../../fleet/ssh/hop.js";
import { checkHostKey, readKnownHosts, verifyHostKey } from "../../fleet/ssh/hostkeys.js";

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

t.test("CheckHostIP: the address must not have another key", async (t) => {
  const file = join(t.testdir({}), "known_hosts");
  const line = (host: string, seed: number) => `${host} ssh-ed25519 ${key(seed).toString("base64")}\n`;
  const hop = { ...hopTo(file), host: "rig", port: 2222, checksAddress: true, acceptsNewKeys: false };
  const cases: [what: string, known: string, change: Partial<Hop>, address: string | undefined, result: string][] = [
    ["the same key", line("[rig]:2222", 1) + line("[10.0.0.9]:2222", 1), {}, "10.0.0.9", "ok"],
    ["another key", line("[rig]:2222", 1) + line("[10.0.0.9]:2222", 2), {}, "10.0.0.9", "HOST_KEY_CHANGED"],
    [
      "another key, unchecked",
      line("[rig]:2222", 1) + line("[10.0.0.9]:2222", 2),
      { checksAddress: false },
      "10.0.0.9",
      "ok",
    ],
    ["another key at port 22", line("[rig]:2222", 1) + line("10.0.0.9", 2), {}, "10.0.0.9", "ok"],
    ["an unknown address", line("[rig]:2222", 1), {}, "10.0.0.9", "ok"],
    ["no address, as behind a jump host", line("[rig]:2222", 1) + line("[10.0.0.9]:2222", 2), {}, undefined, "ok"],
    ["loopback", line("[rig]:2222", 1) + line("[127.0.0.1]:2222", 2), {}, "127.0.0.1", "ok"],
    [
      "a new key, another for the address",
      line("[10.0.0.9]:2222", 2),
      { acceptsNewKeys: true },
      "10.0.0.9",
      "HOST_KEY_CHANGED",
    ],
  ];
  for (const [what, known, change, address, result] of cases) {
    writeFileSync(file, known);
    const check = checkHostKey({ ...hop, ...change }, WHERE, key(1), address);
    t.equal(check.ok ? "ok" : check.error.code, result, what);
    t.equal(readFileSync(file, "utf8"), known);
  }
});

t.test("an RSA host key that is too small is refused", async (t) => {
  const file = join(t.testdir({}), "known_hosts");
  const parts = [
    Buffer.from("ssh-rsa"),
    Buffer.from([1, 0, 1]),
    Buffer.concat([Buffer.from([0]), Buffer.alloc(128, 0xff)]),
  ];
  const small = Buffer.concat(parts.map((part) => Buffer.concat([Buffer.from([0, 0, 0, part.length]), part])));
  writeFileSync(file, `10.0.0.1 ssh-rsa ${small.toString("base64")}\n`);
  t.match(verifyHostKey({ ...hopTo(file), minRsaBits: 1024 }, WHERE, small, undefined), { ok: true });
  t.match(verifyHostKey({ ...hopTo(file), minRsaBits: 1025 }, WHERE, small, undefined), {
    error: { code: "CONFIG", message: /has 1024 bits, and RequiredRSASize is 1025/ },
  });
});
