import fc from "fast-check";
import t from "tap";
import { decodeBytes, encodeBytes, isWellFormed } from "../../schemas/bytetext.js";

/** Bytes as files have them: any, and much that is almost UTF-8. */
const pieces = [[0x61], [0x0a], [0], [0xc3, 0xa4], [0xe4], [0xed, 0xb2, 0x80], [0xc0, 0x80], [0xf0, 0x9f, 0x98, 0x80]];
const odd = fc.array(fc.constantFrom(...pieces, [0xf0, 0x9f], [0xef, 0xbb, 0xbf], [0xff, 0xfe]));
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  odd.map((parts) => Uint8Array.from(parts.flat())),
);

t.test("any bytes come back as they were", async () => {
  fc.assert(
    fc.property(bytes, (some) => encodeBytes(decodeBytes(some)).equals(some)),
    { numRuns: 2000 },
  );
});

t.test("text is read as UTF-8, and each other byte is kept beside it", async (t) => {
  t.equal(decodeBytes(Buffer.from("\ufeffä€😀\0")), "\ufeffä€😀\0");
  t.equal(decodeBytes(Buffer.from([0x61, 0xe4, 0xc3, 0xa4, 0xff])), "a\udce4ä\udcff");
  t.equal(decodeBytes(Buffer.from([0xed, 0xb2, 0x80])), "\udced\udcb2\udc80", "an encoded surrogate is not UTF-8");
  t.ok(isWellFormed("a😀"));
  for (const bad of ["\ud800", "a\udc80", "\udc00\ud800"]) t.notOk(isWellFormed(bad));
});

t.test("a large file is decoded and encoded", async (t) => {
  const large = Buffer.concat([Buffer.alloc(8 << 20, "ä€x"), Buffer.from([0xff]), Buffer.alloc(1 << 20, 0xfe)]);
  t.ok(encodeBytes(decodeBytes(large)).equals(large));
});
