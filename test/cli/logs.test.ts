import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, TestFolder } from "./startmuster.js";

t.setTimeout(600_000);
const shop = new TestFolder();
t.teardown(() => shop.remove());

const muster = (...words: string[]) => runMuster(words, { cwd: shop.folder });
const logsOf = (run: string) => join(shop.folder, "runs", run, "logs");

/** Runs one task whose program is a shell script; the file `count` beside the job has the number of its attempt. */
async function runScript(
  name: string,
  script: string,
  keys: object = {},
): Promise<{ code: number | null; err: string }> {
  const count = join(shop.folder, `${name}.count`);
  const counted = `n=$(cat '${count}' 2>/dev/null || echo 0); n=$((n + 1)); echo $n > '${count}'\n${script}`;
  const task = { id: "one", command: ["sh", "-c", counted], ...keys };
  const retry = { attempts: 3, backoff: "10ms" };
  const job = shop.write(`${name}.yaml`, { name, kind: "tasks", tasks: [task], retry });
  return runMuster(["run", job, "-i", "local"]);
}

t.test("each attempt keeps its log; those of the last one lie in logs/", async (t) => {
  const script = 'echo "out $n"; echo "error $n" >&2; [ $n = 3 ]';
  t.equal((await runScript("third", script)).code, 0);
  const logs = logsOf("third");
  t.same(readdirSync(logs).sort(), ["attempts", "one.err", "one.out"]);
  t.same(readdirSync(join(logs, "attempts/one")).sort(), ["1.err", "1.out", "2.err", "2.out"]);
  for (const n of [1, 2]) t.equal(readFileSync(join(logs, `attempts/one/${n}.err`), "utf8"), `error ${n}\n`);
  t.equal(readFileSync(join(logs, "one.err"), "utf8"), "error 3\n", "the committed attempt's log");
  const last = await muster("logs", "third", "one");
  t.equal(last.out, "out 3\nerror 3\n");
  t.match(last.err, /earlier attempts of one: --try 1, --try 2\n/);
  t.equal((await muster("logs", "third", "one", "--try", "2", "--err")).out, "error 2\n");
  t.equal((await muster("logs", "third", "one", "--try", "3")).out, "out 3\nerror 3\n");
  const none = await muster("logs", "third", "one", "--try", "4");
  t.equal(none.code, 64);
  t.match(none.err, /chunk one has no attempt 4; earlier attempts: --try 1, --try 2/);
  t.equal((await muster("logs", "third", "one", "--try", "0")).code, 64);
  t.equal((await muster("logs", "third", "..")).code, 64);
  t.match((await muster("logs", "third", "--failed")).err, /no chunk has failed/);
});

t.test("a log of an earlier attempt does not pass for one of a silent last attempt", async (t) => {
  t.equal((await runScript("silent", "if [ $n != 2 ]; then echo bad >&2; exit 1; fi")).code, 0);
  t.same(readdirSync(logsOf("silent")), ["attempts"]);
  const last = await muster("logs", "silent", "one");
  t.equal(last.code, 0);
  t.equal(last.out, "");
  t.match(last.err, /silent: chunk one printed nothing; earlier attempts: --try 1/);
  t.equal((await muster("logs", "silent", "one", "--try", "1")).out, "bad\n");
});

t.test("a resumed run counts on", async (t) => {
  const script = 'echo "try $n" >&2; [ $n = 5 ]';
  t.equal((await runScript("resumed", script)).code, 3);
  const shown = await muster("logs", "resumed", "--failed");
  t.match(shown.out, /^failed: chunk one on \S+ slot \d+, attempt 3: exit code 1: try 3\n {4}try 3\n$/);
  const [document] = JSON.parse((await muster("logs", "resumed", "--failed", "--json")).out);
  t.match(document, { chunk: "one", attempt: 3, reason: "exit code 1", detail: "try 3", stderr: "try 3", stdout: "" });
  t.equal((await runMuster(["run", join(shop.folder, "resumed.yaml"), "-i", "local"])).code, 0);
  t.same(readdirSync(join(logsOf("resumed"), "attempts/one")).sort(), ["1.err", "2.err", "3.err", "4.err"]);
  for (const n of [1, 2, 3, 4, 5])
    t.equal((await muster("logs", "resumed", "one", "--try", `${n}`)).out, `try ${n}\n`, `attempt ${n}`);
});

t.test("that no chunk has printed anything is said only where that is known", async (t) => {
  t.equal((await runScript("mute", "true")).code, 0);
  t.match((await muster("logs", "mute", "other")).err, /mute: no chunk has printed anything/);
  t.equal((await muster("logs", "mute", "one")).code, 0, "it has printed nothing, and has ended");
  t.notOk(existsSync(join(logsOf("mute"), "attempts")));
});

t.test("of a chunk that runs it is said where, and how to follow it", async (t) => {
  const go = join(shop.folder, "go");
  const running = runScript("runs", `until [ -e '${go}' ]; do sleep 0.1; done; echo fine`);
  const logs = () => muster("logs", "runs", "one");
  const said = /^runs: chunk one runs on \S+ slot 0, and its output is .*\n {2}muster logs runs one -f shows/;
  await waitUntil("it runs", async () => said.test((await logs()).err));
  t.match(await logs(), { code: 0, out: "", err: said });
  writeFileSync(go, "");
  t.equal((await running).code, 0);
  t.equal((await logs()).out, "fine\n");
});

/** Checks the line of a failed attempt. */
async function checkLine(test: Test, name: string, script: string, keys: object, expected: RegExp): Promise<void> {
  const { err } = await runScript(name, script, keys);
  const line = err.split("\n").find((one) => /attempt 1 failed/.test(one)) ?? err;
  test.match(line, expected, name);
}

t.test("the line of a failed attempt ends with what a person needs to know", async (t) => {
  const python = (code: string) => `exec python3 -c '${code}'`;
  await checkLine(
    t,
    "raised",
    python('raise ValueError("no survivors")'),
    {},
    /: exit code 1: ValueError: no survivors$/,
  );
  const chained = 'try: 1/0\nexcept Exception as e: raise KeyError("k\\n  more") from e';
  await checkLine(t, "chained", `${python(chained)}`, {}, /: exit code 1: KeyError: /);
  await checkLine(
    t,
    "noprogram",
    "nosuchprogram",
    {},
    /: exit code 127: program not found: .*nosuchprogram.*not found$/,
  );
  await checkLine(t, "denied", "/etc/passwd", {}, /: exit code 126: program cannot be executed: .*ermission denied$/);
  await checkLine(
    t,
    "full",
    "cp /etc/passwd /dev/full; echo giving up >&2; exit 2",
    {},
    /: exit code 2: .*No space left on device$/,
  );
  await checkLine(t, "killed", "echo loading 5 % >&2; kill -9 $$", {}, /: killed by signal 9$/);
  const outputs = { outputs: ["result.json"] };
  const near = "echo > reslut.json; echo > results.json; echo > log.txt";
  const wrote =
    /: exit code 0, but no output result\.json; the program wrote (reslut\.json, results\.json|results\.json, reslut\.json), log\.txt$/;
  await checkLine(t, "near", near, outputs, wrote);
  await checkLine(t, "nothing", "true", outputs, /: exit code 0, but no output result\.json$/);
  await checkLine(t, "folder", "mkdir result.json", outputs, /no output result\.json \(it is a folder, not a file\)$/);
  await checkLine(
    t,
    "link",
    "echo > x; ln -s x result.json",
    outputs,
    /no output result\.json \(it is a link: .*\); the program wrote x$/,
  );
  const hostile = "echo > \"$(printf 'result\\033[2J.json')\"";
  await checkLine(
    t,
    "hostile",
    hostile,
    outputs,
    /the program wrote result\\x1b\[2J\.json$|the program wrote result\\u001b\[2J\.json$/,
  );
});
