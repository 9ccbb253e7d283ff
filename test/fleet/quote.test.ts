import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { formatStartCommand, parseStartMark, quote } from "../../fleet/quote.js";

const nasty = [
  "",
  "plain",
  "-n",
  "--",
  "a b",
  " a  b ",
  "a\nb\n\nc\n",
  "\n",
  "$(touch /tmp/never) `id` ${HOME} $HOME $$",
  "'",
  "''\\''\"\"",
  '"quoted"',
  "!!",
  "!$ !-1 ^a^b",
  "\\",
  "\\n \\\\ \\' \\047",
  "%s %d %% %n",
  "*?[a-z]{b,c}~",
  "~root",
  "A=B",
  "a;b|c&d>e<f(g)#h",
  "tab\tbell\u0007escape\u001bdelete\u007f",
  "é ✓ 漢字 😀 \u202e \ufeff",
  "\u0001\u001f\u0080\u00ff\ufffd",
  '{"json": ["x", 1, null], "path": "C:\\\\temp"}',
];

const reader = `import sys; sys.stdout.buffer.write("\\0".join(sys.argv[1:]).encode("utf-8", "surrogateescape"))`;

for (const shell of [
  "/bin/sh",
  "/bin/bash",
  "/bin/dash",
  // Not /bin/csh, which may be one that takes no word above 1,024 characters.
  "/bin/tcsh",
  "/usr/bin/fish",
  "/usr/bin/zsh",
  "/bin/ksh",
]) {
  const skip = existsSync(shell) ? false : `${shell} is not installed`;

  t.test(`arguments through ${shell}`, { skip }, async (t) => {
    const through = (args: string[]) => {
      const line = formatStartCommand(["/usr/bin/python3", "-c", reader, ...args]);
      const output = execFileSync(shell, ["-c", line], {
        env: { PATH: "/usr/bin:/bin", HOME: "/nonexistent", LC_ALL: "C" },
      });
      const { rest, pid } = parseStartMark(output)!;
      t.ok(pid > 1);
      return rest.toString("utf8").split("\0");
    };
    t.same(through(nasty), nasty);
    t.equal(through(["x".repeat(50_000)])[0]?.length, 50_000, "a long one");
    const word = fc.string({ unit: "binary", maxLength: 20 }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), (words) => {
        t.same(through(words), words);
      }),
      { numRuns: 10 },
    );
  });

  t.test(`the program takes the shell's place under ${shell}`, { skip }, async (t) => {
    const output = execFileSync(shell, ["-c", formatStartCommand(["/bin/sh", "-c", "echo $$"])]);
    const { pid, rest } = parseStartMark(output)!;
    t.equal(Number(rest.toString()), pid);
  });
}

t.test("sh reads quoted words back unchanged", async (t) => {
  const words = nasty.map(quote).join(" ");
  t.same(execFileSync("/bin/sh", ["-c", `printf '%s\\0' ${words}`], { encoding: "utf8" }), `${nasty.join("\0")}\0`);
});

t.test("the start mark is found after anything that a start-up file prints", async (t) => {
  const mark = execFileSync("/bin/sh", ["-c", formatStartCommand(["/bin/echo", "hello"])]);
  const whole = Buffer.concat([Buffer.from("Welcome!\n\x1e muster\n"), mark]);
  t.equal(parseStartMark(whole)?.rest.toString(), "hello\n");
  t.equal(parseStartMark(whole)?.before.toString(), "Welcome!\n\x1e muster\n");
  // All but the byte that ends the mark, however many digits the pid has.
  t.equal(parseStartMark(whole.subarray(0, whole.indexOf("hello") - 1)), undefined);
  t.equal(parseStartMark(Buffer.alloc(0)), undefined);
});
