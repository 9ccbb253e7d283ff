import fc from "fast-check";
import t from "tap";
import { CarriageReturnFolder, foldCarriageReturns } from "../../../../executor/run/record/carriagereturns.js";

const fold = (text: string) => foldCarriageReturns(Buffer.from(text)).toString();

/** Folds pieces of these lengths, over and over. */
function foldInPieces(bytes: Buffer, lengths: readonly number[]): Buffer {
  const folder = new CarriageReturnFolder();
  const out: Buffer[] = [];
  for (let at = 0, index = 0; at < bytes.length; index++) {
    const length = lengths[index % lengths.length]!;
    const piece = Buffer.from(bytes.subarray(at, at + length));
    out.push(Buffer.from(folder.push(piece)));
    piece.fill(0x21); // a reader reuses its buffer
    at += length;
  }
  return Buffer.concat([...out, folder.end()]);
}

t.test("the last text of a line stays", async (t) => {
  for (const [text, folded] of [
    ["a\rb\rc\n", "c\n"],
    ["one\r\ntwo\r\n", "one\r\ntwo\r\n"],
    ["one\r\r\n", "one\r\n"],
    ["\rtqdm  50%|##  |\rtqdm 100%|####|\n", "tqdm 100%|####|\n"],
    ["50%\r100%", "100%"],
    ["50%\r100%\r", "100%"],
    ["longer text\rab\n", "ab\n"],
    ["é 50 %\ré 99 %\n", "é 99 %\n"],
    ["before\n1\r2\rError: why\nafter\n", "before\nError: why\nafter\n"],
    ["\r\n\r\n", "\r\n\r\n"],
    ["\r", ""],
    ["", ""],
    ["plain\n\nlines\n", "plain\n\nlines\n"],
  ] as const)
    t.equal(fold(text), folded, JSON.stringify(text));
});

t.test("it does not matter where the pieces of a log end", async (t) => {
  const text = fc.array(fc.constantFrom("\r", "\n", "\r\n", "a", "bc", "é", " "), { maxLength: 40 });
  fc.assert(
    fc.property(text, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (words, lengths) => {
      const bytes = Buffer.from(words.join(""));
      const model = bytes
        .toString("latin1")
        .split("\n")
        .map((line, index, lines) => {
          const isCrlf = line.endsWith("\r") && index < lines.length - 1;
          return (line.split("\r").filter(Boolean).at(-1) ?? "") + (isCrlf ? "\r" : "");
        })
        .join("\n");
      return (
        foldInPieces(bytes, lengths).toString("latin1") === model &&
        fold(words.join("")) === Buffer.from(model, "latin1").toString()
      );
    }),
  );
  t.pass();
});

t.test("binary output stays as it is", async (t) => {
  const binary = Buffer.from([0x89, 0x50, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x0d, 0x41, 0x0d, 0x42]);
  t.same(foldCarriageReturns(binary), binary);
  const random = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7919) % 256));
  t.same(foldCarriageReturns(random), random);
  const folder = new CarriageReturnFolder();
  const pieces = ["a\rb\r\nx\ry", "z\0\rq\r\n", "1\r2\n"].map((text) => folder.push(Buffer.from(text)).toString());
  t.equal([...pieces, folder.end().toString()].join(""), "b\r\nyz\0\rq\r\n1\r2\n", "from a later NUL byte on");
});

t.test("a line of more than 64 KiB is kept, and little of it in memory", async (t) => {
  const long = `${"x".repeat(100_000)}\r${"y".repeat(10)}`;
  t.equal(fold(`${long}\na\rb\n`), `${long}\nb\n`);
  const folder = new CarriageReturnFolder();
  let bytes = 0;
  for (let n = 0; n < 100; n++) bytes += folder.push(Buffer.alloc(10_000, "x")).length;
  t.ok(bytes > 1_000_000 - 64 * 1024 - 10_000, "it is not held back");
  t.equal(bytes + folder.end().length, 1_000_000);
  const bar = new CarriageReturnFolder();
  for (let n = 0; n < 100_000; n++) bar.push(Buffer.from(`${n} of 100000\r`));
  t.equal(bar.end().toString(), "99999 of 100000", "a bar of a megabyte is one line");
});
