import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import t from "tap";
import { gpuLimitsSource, gpuStepsSource } from "../../templates/nodeprograms.js";

const folder = mkdtempSync(join(tmpdir(), "muster-limits-"));
t.teardown(() => rmSync(folder, { recursive: true }));
const CARD = "0000:03:00.0";
const run = (...argv: string[]) => ({ do: "run", argv });

/** Starts the program as on a node, with records in a folder of the test. */
function start(...cards: string[]) {
  const steps = gpuStepsSource().replace('"/run/muster/gpu-settings/"', JSON.stringify(`${folder}/`));
  const child = spawn("python3", ["-IS", "-c", gpuLimitsSource(), steps, JSON.stringify(cards)]);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const errors: Buffer[] = [];
  child.stderr.on("data", (bytes) => errors.push(bytes));
  const ended = once(child, "close").then(([code]) => ({ code, stderr: Buffer.concat(errors).toString() }));
  /** The next answer; undefined at the end. */
  const receive = async () => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) return undefined;
      if (value !== "") return JSON.parse(value);
    }
  };
  const send = (request: number, restore: object[], steps: object[]) =>
    child.stdin.write(`${JSON.stringify({ request, restore: { [CARD]: restore }, cards: { [CARD]: steps } })}\n`);
  return { child, ended, receive, send };
}

t.test("signals that come at once, and while it restores, leave no limit behind", async (t) => {
  const { child, ended, receive, send } = start(CARD);
  t.match(await receive(), { request: 0, cards: {} });
  const restored = join(folder, "restored");
  send(1, [run("kill", "-TERM", `${child.pid}`), run("kill", "-HUP", `${child.pid}`), run("touch", restored)], []);
  t.match(await receive(), { request: 1 });
  child.kill("SIGSTOP");
  for (const signal of ["SIGTERM", "SIGHUP", "SIGINT", "SIGCONT"] as const) child.kill(signal);
  t.match(await receive(), { request: 2, cards: { [CARD]: [{ text: "" }, { text: "" }, { text: "" }] } });
  t.same(await ended, { code: 0, stderr: "" });
  t.ok(existsSync(restored));
});

t.test("steps that a signal meets are ended before the limits are restored", async (t) => {
  const { child, ended, receive, send } = start(CARD);
  await receive();
  send(1, [run("echo", "restored")], [run("kill", "-TERM", `${child.pid}`), run("echo", "set")]);
  t.match(await receive(), { request: 1, cards: { [CARD]: [{ text: "" }, { text: "set" }] } });
  t.match(await receive(), { request: 2, cards: { [CARD]: [{ text: "restored" }] } });
  t.equal((await ended).code, 0);
});

t.test("a GPU whose limit is being changed is refused to others until that has ended", async (t) => {
  const first = start(CARD, "0000:06:00.0");
  await first.receive();
  const second = start(CARD);
  t.equal(await second.receive(), undefined);
  t.same(await second.ended, {
    code: 1,
    stderr: `another bench changes the power limit of GPU ${CARD}: wait until it has ended\n`,
  });
  first.child.stdin.end();
  t.match(await first.receive(), { request: 1 });
  await first.ended;
  const third = start(CARD);
  t.match(await third.receive(), { request: 0 });
  third.child.stdin.end();
  await third.ended;
});
