import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { EarlierLogs } from "../../../../executor/run/results/earlierlogs.js";

function makeLogs(test: Test): string {
  const logs = mkdtempSync(join(tmpdir(), "logs-"));
  test.teardown(() => rmSync(logs, { recursive: true }));
  return logs;
}

t.test("a number is not used twice, and what printed nothing leaves a gap", async (t) => {
  const logs = makeLogs(t);
  const earlier = new EarlierLogs(logs);
  const move = (text: string, number: number) => {
    writeFileSync(join(logs, "c.err"), text);
    earlier.moveAside("c", number);
  };
  move("first", 1);
  move("third", 3);
  earlier.moveAside("c", 4);
  move("of the next session", 1);
  t.same(readdirSync(join(logs, "attempts/c")).sort(), ["1.err", "3.err", "4.err"]);
  t.equal(readFileSync(join(logs, "attempts/c/4.err"), "utf8"), "of the next session");
  t.notOk(existsSync(join(logs, "c.err")));
});

t.test("a run keeps 2000 files, earlier sessions included, and 256 MiB", async (t) => {
  const logs = makeLogs(t);
  const first = new EarlierLogs(logs);
  const move = (earlier: EarlierLogs, chunk: string) => {
    writeFileSync(join(logs, `${chunk}.out`), "x");
    earlier.moveAside(chunk, 1);
  };
  for (let n = 0; n < 1999; n++) move(first, `a${n}`);
  const second = new EarlierLogs(logs);
  move(second, "kept");
  move(second, "dropped");
  t.same(readdirSync(join(logs, "attempts")).length, 2000);
  t.ok(existsSync(join(logs, "attempts/kept/1.out")));
  t.same(readdirSync(logs), ["attempts"], "the logs of the next attempt are not mixed up with it");

  const large = makeLogs(t);
  mkdirSync(join(large, "attempts/big"), { recursive: true });
  writeFileSync(join(large, "attempts/big/1.out"), "");
  truncateSync(join(large, "attempts/big/1.out"), 256 << 20);
  writeFileSync(join(large, "more.out"), "x");
  new EarlierLogs(large).moveAside("more", 1);
  t.same(readdirSync(join(large, "attempts")), ["big"]);
});
