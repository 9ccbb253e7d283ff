import { createHash } from "node:crypto";
import fc from "fast-check";
import t from "tap";
import type { Manifest, ValueLocation } from "../../fleet/inventory.js";
import type { ChangeContext, FilePlacement, FileState, PlaybookContext } from "../../playbooks/engine/resource.js";
import manifestSync from "../../playbooks/manifest-sync.js";

const FILE = "/srv/file";

/** What the playbook writes to the file, or why it refuses. undefined = nothing. */
async function change(location: ValueLocation, before: Buffer): Promise<Buffer | string | undefined> {
  const manifest: Manifest = { name: "size", value: 1000n, text: "1000", in: [location] };
  const [one] = manifestSync({ inventory: { manifests: [manifest] } } as PlaybookContext) as Iterable<never>;
  const resource = one as unknown as { change(files: FileState[], context: ChangeContext): Promise<void> };
  let written: Buffer | undefined;
  const place = async ({ content }: FilePlacement) => {
    written = Buffer.from(content as Uint8Array);
  };
  const state: FileState = { kind: "file", content: before.toString("base64"), size: before.length };
  try {
    await resource.change([state], { place } as unknown as ChangeContext);
  } catch (error) {
    return written === undefined ? (error as Error).message : `wrote ${createHash("sha256").update(written).digest()}`;
  }
  return written;
}

const LATIN1 = Buffer.from("f\xfcr \xa0\xe4\xff\xc0\x80\xed\xb2\x80", "latin1");
const join = (...parts: (string | Uint8Array)[]) => Buffer.concat(parts.map((part) => Buffer.from(part as string)));

/** For each editor: how a file may hold bytes before and after the value, as comments or texts. */
const editors: { name: string; location: ValueLocation; around: (a: Uint8Array, b: Uint8Array) => [Buffer, Buffer] }[] =
  [
    {
      name: "shell",
      location: { file: FILE, assignment: "SIZE" },
      around: (a, b) => [join("#!/bin/sh\n# ", a, "\nA=1\r\nexport SIZE="), join(" # ", b, "\nB='", b, "'")],
    },
    {
      name: "JSON",
      location: { file: FILE, pointer: "/a/size" },
      around: (a, b) => [join('{"x": "', a, '",\r\n "a": {"size":\t'), join(', "y": ["', b, '"]}}')],
    },
    {
      name: "YAML",
      location: { file: FILE, yaml: "/a/size" },
      around: (a, b) => [join("# ", a, "\nx: '", a, "'\na:\r\n  size:   "), join("  # ", b, "\n  y: x")],
    },
    {
      name: "regular expression",
      location: { file: FILE, regex: "^size = (\\d+)" },
      around: (a, b) => [join("; ", a, "\r\nsize = "), join(" ; ", b)],
    },
  ];

for (const { name, location, around } of editors) {
  t.test(`${name}: all bytes around a value that is not UTF-8 are kept`, async (t) => {
    const [before, after] = around(LATIN1, LATIN1);
    t.same(await change(location, join(before, "500", after)), join(before, "1000", after));
    t.equal(await change(location, join(before, "1000", after)), undefined, "what is in sync is not written");
    for (const mark of ["\xff\xfe", "\xfe\xff"])
      t.match(await change(location, join(Buffer.from(mark, "latin1"), "5\0")), /^\/srv\/file is UTF-16 text/);
  });

  t.test(`${name}: whatever is around, only the value changes, or nothing is written`, async (t) => {
    let edited = 0;
    const byte = fc.constantFrom(0, 9, 0x20, 0x22, 0x27, 0x5c, 0x61, 0x80, 0xa0, 0xc3, 0xa4, 0xe4, 0xed, 0xff);
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 12 }), fc.array(byte).map(Buffer.from));
    await fc.assert(
      fc.asyncProperty(bytes, bytes, async (a, b) => {
        const [before, after] = around(a, b);
        const result = await change(location, join(before, "500", after));
        if (typeof result === "string") return !result.startsWith("wrote");
        if (result === undefined) return false;
        edited++;
        return result.equals(join(before, "1000", after));
      }),
      { numRuns: 400 },
    );
    t.ok(edited > 50, `${edited} of 400 were edited`);
  });
}
