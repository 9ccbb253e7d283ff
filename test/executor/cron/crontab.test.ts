import { spawnSync } from "node:child_process";
import fc from "fast-check";
import t from "tap";
import { findBlockLines, putBlock, removeBlock } from "../../../executor/cron/crontabblock.js";
import { formatCrontabLine } from "../../../executor/cron/crontabline.js";
import { type CronSchedule, parseSchedule } from "../../../executor/cron/expression.js";

const scheduleOf = (text: string): CronSchedule => {
  const parsed = parseSchedule(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.schedule;
};
const from = new Date(2026, 9, 30, 12, 30);
const next = (text: string) =>
  scheduleOf(text)
    .next(from, 3)
    .map((date) => `${date.getMonth() + 1}-${date.getDate()} ${date.getHours()}:${date.getMinutes()}`);

t.test("the next times are those of cron", async (t) => {
  t.same(next("0 2 * * *"), ["10-31 2:0", "11-1 2:0", "11-2 2:0"]);
  t.same(next("*/20 12 * * *"), ["10-30 12:40", "10-31 12:0", "10-31 12:20"]);
  t.same(next("  15  3 *   jan-MAR  sun,6 "), ["1-2 3:15", "1-3 3:15", "1-9 3:15"]);
  t.same(next("0 0 13 * 5"), ["11-6 0:0", "11-13 0:0", "11-20 0:0"], "either day will do");
  t.same(next("0 0 */2 * 1"), ["11-9 0:0", "11-23 0:0", "12-7 0:0"], "but not one that begins with a star");
  t.same(next("@daily"), ["10-31 0:0", "11-1 0:0", "11-2 0:0"]);
  t.same(next("@reboot"), []);
  t.equal(scheduleOf("@reboot").text, "@reboot");
});

t.test("daily schedules have one time a day across changes to daylight saving time", async (t) => {
  const before = process.env.TZ;
  process.env.TZ = "Europe/Berlin";
  t.teardown(() => {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  });
  for (const start of [new Date(2026, 2, 27, 12), new Date(2026, 9, 23, 12)]) {
    const times = scheduleOf("30 2 * * *").next(start, 4);
    t.same(
      times.map((date) => date.getDate()),
      [1, 2, 3, 4].map((days) => start.getDate() + days),
    );
  }
});

t.test("expressions that cron cannot read, or that never occur, are rejected", async (t) => {
  for (const text of [
    "61 * * * *",
    "0 24 * * *",
    "* * * *",
    "* * * * * *",
    "",
    "@often",
    "@REBOOT",
    "0 0 L * *",
    "0 0 ? * *",
    "0 0 * * 1#2",
    "5/10 * * * *",
    "10-5 * * * *",
    "0 0 31 2 *",
    "0 0 0 * *",
    "0 0 * 13 *",
    "*/0 * * * *",
    "1,,2 * * * *",
    "0 0 * mon *",
    "H * * * *",
    "0 2 * * *; reboot",
  ])
    t.match(parseSchedule(text), { ok: false, message: /./, hint: /./ }, text);
});

const line = fc.string({ unit: fc.constantFrom("a", "#", " ", "%", "\r", "é", "BEGIN muster /p", "END muster /p") });
const crontab = fc.tuple(fc.array(line), fc.boolean()).map(([lines, ended]) => lines.join("\n") + (ended ? "\n" : ""));

t.test("other lines of a crontab are kept byte for byte, and a second install changes nothing", async (t) => {
  const block = { key: "/home/me/p.yaml", lines: ["# p", "0 2 * * * run"] };
  fc.assert(
    fc.property(crontab, (text) => {
      const once = putBlock(text, block);
      const ended = text === "" || text.endsWith("\n") ? text : `${text}\n`;
      return (
        once.startsWith(ended) &&
        putBlock(once, block) === once &&
        removeBlock(once, block.key) === ended &&
        removeBlock(text, block.key) === text &&
        findBlockLines(once, block.key)?.join() === block.lines.join()
      );
    }),
  );
  const two = putBlock(putBlock("# mine\n", block), { key: "/q.yaml", lines: ["x"] });
  t.equal(putBlock(two, { ...block, lines: ["1 2 * * * run"] }), two.replace("# p\n0 2", "1 2"), "in its place");
  t.equal(removeBlock(two, block.key), "# mine\n# BEGIN muster /q.yaml\nx\n# END muster /q.yaml\n");
  const crlf = `a\r\n${putBlock("", block).replaceAll("\n", "\r\n")}b\r\n`;
  t.equal(putBlock(crlf, block), `a\r\n${putBlock("", block)}b\r\n`, "an editor has saved it with CRLF");
});

/** Applies cron's own parsing of a command: an escaped % is a %, an unescaped one ends the command. */
const asCron = (command: string) => command.replace(/(?<!\\)%.*/s, "").replaceAll("\\%", "%");

t.test("the program gets every argument of a line unchanged", async (t) => {
  const word = fc.string({
    unit: fc.constantFrom("a", "/", " ", "%", "'", '"', "$", "`", "*", "#", "!", "é", ";", "&", "~"),
  });
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), (words) => {
      const written = formatCrontabLine(scheduleOf("0 2 * * *"), [
        "/usr/bin/printf",
        "%s\\0".replace("\\0", "|"),
        ...words,
      ]);
      const { stdout } = spawnSync("/bin/sh", ["-c", asCron(written.slice("0 2 * * * ".length))], {
        env: {},
        encoding: "utf8",
      });
      return stdout === words.map((one) => `${one}|`).join("");
    }),
    { numRuns: 30 },
  );
  t.match(
    formatCrontabLine(scheduleOf("@reboot"), ["/a"]),
    /^@reboot \/usr\/bin\/env PATH=\S+ LC_ALL=C\.UTF-8 \S+ \/a$/,
  );
  for (const bad of ["a\nb", "a\\b", "x".repeat(1000)])
    t.throws(() => formatCrontabLine(scheduleOf("@reboot"), [bad]), bad.slice(0, 5));
});
