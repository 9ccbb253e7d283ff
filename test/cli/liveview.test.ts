import type { ChildProcess } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { followTerminal } from "./followterminal.js";
import { resizeTerminal } from "./pseudoterminal.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";
import type { TerminalModel } from "./terminalmodel.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: ["rig", "zeus"], gpus: 2, vendor: "amd" }, "GPUs");

/** Chunk 0 fails, chunk 1 is done at once; the others report their progress and wait for the file `go` of their node. */
const WORKER = `import os, sys, time
if sys.argv[1] < "2": sys.exit(3 if sys.argv[1] == "0" else 0)
with open(os.environ["MUSTER_PROGRESS"], "w") as file: file.write("1 4")
while not os.path.exists("/var/tmp/go"): time.sleep(0.05)
`;

function writeJob(name: string): string {
  shop.write(`${name}/w.py`, WORKER);
  const matrix = { kind: "matrix", matrix: { n: [0, 9] }, script: "w.py", args: ["{n}"], retry: { attempts: 1 } };
  return shop.write(`${name}/job.yaml`, { name, ...matrix });
}

/** Lets the chunks of all nodes end, or has the next ones wait. */
function openGate(isOpen: boolean): void {
  for (const { root } of nodes)
    if (isOpen) writeFileSync(join(root, "var/tmp/go"), "");
    else rmSync(join(root, "var/tmp/go"), { force: true });
}

function countLines(lines: string[], pattern: RegExp): number {
  return lines.filter((line) => pattern.test(line)).length;
}

const resize = (child: ChildProcess, model: TerminalModel, columns: number) => {
  model.resize(columns);
  resizeTerminal(child, columns, 24);
};

t.test("the live view of a run in a terminal", { skip }, async (t) => {
  openGate(false);
  const job = writeJob("seen");
  const { model, child, shows, waitFor, raw, ended } = followTerminal(t, ["run", job, "-i", inventory], {});
  await waitFor("the chunks report their progress", /4 running, 3 waiting, 1 failed/, /^ {2}zeus .*, 25 %/);
  const [head, counts, ...rest] = model.screen.slice(-4);
  t.match(head, /^seen \[#{2}-{18}\] 11\.1 % {2}\d+ s, about \d+ s left$/);
  t.match(counts, /^ {2}1 of 9 done, 4 running, 3 waiting, 1 failed$/);
  t.match(rest, [
    /^ {2}rig {3}2\/2 running, \d done/,
    /^ {2}zeus {2}2\/2 running, \d done.* {2}n=\d+: \d+ s of about \d+ s, 25 %$/,
  ]);
  t.ok(shows(/^failed: chunk n=0 on \w+ slot \d, attempt 1: exit code 3/), "events stand above it");
  t.match(raw(), "\u001b[31mfailed: chunk n=0");
  const first = model.frames.findIndex((frame) => countLines(frame, /^seen \[/) > 0);
  t.ok(first >= 0);
  const wrong = model.frames.slice(first).filter((frame) => countLines(frame, /^seen \[/) !== 1);
  t.same(wrong, [], "each write leaves one view, at no time none or two");
  const later = raw().slice(raw().indexOf("seen [")).split("\u001b[?2026l").slice(1, -1);
  t.ok(
    later.every((text) => text.startsWith("\u001b[?2026h")),
    "nothing is written outside of frames",
  );

  resize(child, model, 140);
  await waitFor("it has one line for the totals", /^seen \[#+-+\] 11\.1 % {2}1 of 9 done, 4 running/);
  t.equal(countLines(model.screen, /^seen \[/), 1);
  resize(child, model, 60);
  await waitFor("it has two lines again", /^ {2}1 of 9 done, 4 running/);
  t.equal(countLines(model.screen, /^seen \[/), 1, "nothing of the wide view is left");
  t.equal(countLines(model.screen, /^ {2}rig /), 1);
  t.ok(model.screen.every((line) => line.length <= 60));

  const run = join(shop.folder, "seen/runs/seen");
  let status = await runMuster(["status", run]);
  const showsAllProgress = async () => {
    status = await runMuster(["status", run]);
    const lines = status.out.split("\n");
    return countLines(lines, /^ {4}slot \d: n=\d since \d\d:\d\d:\d\d, \d+ s of about .* 25 %(, \d queued)?$/) === 4;
  };
  await waitUntil("the status has the progress of all chunks", showsAllProgress, 30);
  t.match(status.out, /\n {2}4 of 4 slots run, 3 waiting, about \d+ s left\n {2}rig: 2 of 2 slots run, \d done/);
  t.ok(status.out.split("\n").every((line) => line.length <= 80));
  t.match(JSON.parse((await runMuster(["status", run, "--json"])).out), {
    live: { running: 4, waiting: { units: "3" } },
  });
  t.match((await runMuster(["report", run])).out, /^ {4}slot \d: n=\d since/m);

  openGate(true);
  const { code } = await ended;
  t.equal(code, 3);
  t.equal(countLines(model.lines, /^seen \[/), 0, "the view is gone at the end");
  t.match(model.lines.join("\n"), /seen: partly done/);
  t.notOk(existsSync(join(run, "live.json")));
});

t.test("NO_COLOR and --no-color", { skip }, async (t) => {
  openGate(true);
  const job = writeJob("grey");
  const grey = followTerminal(t, ["run", job, "-i", inventory], { env: { NO_COLOR: "1" } });
  await grey.ended;
  t.notOk(
    ["\u001b[31m", "\u001b[32m", "\u001b[2m", "\u001b[1m"].some((one) => grey.raw().includes(one)),
    "no colours",
  );
  t.match(grey.raw(), "\u001b[?2026h", "but it is redrawn");
  const plain = followTerminal(t, ["run", job, "-i", inventory, "--fresh", "--no-color"], {});
  await plain.ended;
  t.notMatch(plain.raw(), "\u001b");
  t.match(plain.raw(), /\ngrey: 88\.8 %, 8 of 9 chunks/);
});

t.test("status of a run whose coordinator was killed", { skip }, async (t) => {
  openGate(false);
  const job = writeJob("killed");
  const run = join(shop.folder, "killed/runs/killed");
  const child = startMuster(["run", job, "-i", inventory]);
  const ended = waitForExit(child);
  const read = async () => JSON.parse((await runMuster(["status", run, "--json"])).out);
  await waitUntil("live.json is there", () => existsSync(join(run, "live.json")));
  for (let left = 60; left > 0 && (await read()).live?.running !== 4; left--);
  child.kill("SIGKILL");
  await ended;
  const status = await runMuster(["status", run]);
  t.match(status.out, /^killed: interrupted/);
  t.match(
    status.out,
    new RegExp(`process ${child.pid} on .* ended without closing the run\\n .* 4 chunks ran on 2 nodes\\n`),
  );
  t.equal((await read()).live.running, 4);
  openGate(true);
  t.equal((await runMuster(["run", job, "-i", inventory])).code, 3);
  t.equal((await read()).live, undefined);
});

t.test("the live view of a pipeline", { skip }, async (t) => {
  openGate(false);
  writeJob("steps");
  const gate = join(shop.folder, "steps/gate");
  const wait = ["sh", "-c", `until [ -e ${gate} ]; do sleep 0.1; done`];
  const steps = { fetch: { command: wait }, sieve: { job: "job.yaml" }, last: { command: ["true"], needs: ["fetch"] } };
  const file = shop.write("steps/nightly.yaml", { name: "nightly", steps });
  const { model, shows, waitFor, ended } = followTerminal(t, ["run", file, "-i", inventory], {});
  await waitFor("both steps run", /4 running, 3 waiting, 1 failed/, /^fetch: running for/);
  const at = model.screen.findIndex((line) => line.startsWith("nightly  "));
  t.match(model.screen.slice(at), [
    /^nightly {2}0 of 3 steps done, 2 running, 1 waiting, \d+ s$/,
    /^fetch: running for \d+ s$/,
    /^sieve \[#+-+\] 11\.1 %/,
    /^ {2}1 of 9 done, 4 running, 3 waiting, 1 failed$/,
    /^ {2}rig /,
    /^ {2}zeus /,
  ]);
  t.ok(shows(/^\[sieve\] failed: chunk n=0/));
  const status = await runMuster(["status", join(shop.folder, "steps/runs/nightly")]);
  t.match(status.out, /\n {2}sieve: running.*\n {4}4 of 4 slots run/);
  writeFileSync(gate, "");
  await waitFor("the next steps are done", /^nightly {2}2 of 3 steps done, 1 running/);
  openGate(true);
  t.equal((await ended).code, 3);
  t.equal(countLines(model.lines, /^nightly {2}\d/), 0, "the view is gone at the end");
});
