import { Readable } from "node:stream";
import t from "tap";
import { readTextStream } from "../../schemas/textfile.js";

async function* repeat(piece: Buffer, count: number) {
  for (let n = 0; n < count; n++) yield piece;
}

t.test("a stream is read to its end, up to the size of a file, and only as UTF-8", async (t) => {
  const bytes = Buffer.from("aé€");
  t.equal(await readTextStream(Readable.from([bytes.subarray(0, 2), bytes.subarray(2)]), "stdin"), "aé€");
  const large = { code: "INVALID_FILE", problems: [{ file: "stdin", message: /larger than 64 MiB/ }] };
  await t.rejects(readTextStream(repeat(Buffer.alloc(1 << 20, "x"), 65), "stdin"), large);
  const other = { code: "INVALID_FILE", problems: [{ file: "stdin", message: /not UTF-8/ }] };
  await t.rejects(readTextStream(Readable.from([Buffer.from([0xff])]), "stdin"), other);
});
