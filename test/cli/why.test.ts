import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { committedChunks } from "../faults/checks.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

t.setTimeout(600_000);
const shop = new TestFolder();
t.teardown(() => shop.remove());

const options = { cwd: shop.folder };
const why = (...words: string[]) => runMuster(["why", ...words], options);
const go = join(shop.folder, "go");
const wait = `until [ -e '${go}' ]; do sleep 0.1; done`;

/** Two nodes on this machine, with a slot each. */
const inventory = shop.write("inventory.yaml", {
  nodes: {
    one: { connection: "local", slots: 1, workdir: join(shop.folder, "one") },
    two: { connection: "local", slots: 1, workdir: join(shop.folder, "two"), tags: ["big"] },
    three: { connection: "local", slots: 1, workdir: join(shop.folder, "three") },
  },
});

t.test("a chunk that is done, one that runs, one that failed, and one that waits", async (t) => {
  const first = "echo started >&2; [ -e failed ] || exit 7";
  shop.write("w.sh", `#!/bin/sh\ncase $1 in done) sleep 1; echo fine;; bad) ${first};; *) ${wait};; esac\n`, 0o755);
  const task = (id: string) => ({ id, script: "w.sh", args: [id] });
  const job = shop.write("mix.json", {
    name: "mix",
    kind: "tasks",
    needs: { nodes: ["one", "two"] },
    retry: { attempts: 1 },
    tasks: ["bad", "done", "run1", "run2", "later"].map(task),
  });
  const run = startMuster(["run", job, "-i", inventory], options);
  const ended = waitForExit(run);
  const path = join(shop.folder, "runs/mix");
  // What failed is journaled with the next commit, which is that of `done`.
  await waitUntil("two chunks run", () => {
    const live = existsSync(join(path, "live.json")) ? shop.read("runs/mix/live.json") : "";
    return live.includes('"chunk":"run1"') && live.includes('"chunk":"run2"') && committedChunks(path).length === 1;
  });
  const drained = await runMuster(["drain", "two", "--reason", "new fans", "-i", inventory], options);
  t.equal(drained.code, 0, drained.err);

  const done = await why("mix", "done");
  t.equal(done.code, 0, done.err);
  t.match(done.out, /^chunk done of mix: done\n {2}attempt 1: done in .* on (one|two) slot 0, began 20.*\n {6}fine\n$/);
  const failed = await why("mix", "bad");
  t.match(failed.out, /^chunk bad of mix: failed, and not tried again in this session\n/);
  t.match(failed.out, / {2}attempt 1: failed after .* \(exit code 7.*\) on .*\n {6}started\n {2}given up: exit code 7/);
  const running = await why("mix", "run1");
  t.match(running.out, /^chunk run1 of mix: running\n {2}attempt 1: running \(.*\) on (one|two) slot 0, began /);
  t.match(running.out, /\n {2}why there: .*\n {2}other slots refuse it:\n/);
  t.match(running.out, /\n {4}three: needs.nodes does not name it\n/);
  const waiting = await why("mix", "later");
  t.match(
    waiting.out,
    /^chunk later of mix: waiting for a slot\n {2}no attempt has begun\n {2}no slot may have it now:\n/,
  );
  t.match(waiting.out, /\n {4}one slot 0: it runs another chunk\n/);
  t.match(waiting.out, /\n {4}two slot 0: it is drained \(new fans\); it runs another chunk\n/);
  const { code, out } = await why("mix", "later", "--json");
  t.equal(code, 0);
  t.match(JSON.parse(out), {
    run: "mix",
    chunk: "later",
    state: "waiting",
    attempts: [],
    slots: [
      { node: "one", slot: 0, reasons: ["it runs another chunk"] },
      { node: "two", slot: 0, reasons: ["it is drained (new fans)", "it runs another chunk"] },
      { node: "three", reasons: ["needs.nodes does not name it"] },
    ],
  });
  t.match(await why("mix", "latr"), { code: 64, err: /chunk "latr" does not exist.*/ });
  run.kill("SIGKILL");
  await ended;
  t.match((await why("mix", "later")).out, /^chunk later of mix: not done; the run is interrupted\n/);
  writeFileSync(go, "");
  t.equal((await runMuster(["undrain", "two", "-i", inventory], options)).code, 0);
  t.equal((await runMuster(["run", job, "-i", inventory], options)).code, 3);
  t.match((await why("mix", "later")).out, /^chunk later of mix: done\n/);
});

t.test("a unit of a range names its chunk; earlier attempts are listed with their last lines", async (t) => {
  shop.write("r.sh", "#!/bin/sh\necho try $MUSTER_TRY >&2; [ -e $HOME/never ]\n", 0o755);
  const range = { name: "range", kind: "range", range: [0, 20], chunk: { base: 10, min: 10, max: 10 } };
  const job = shop.write("range.json", {
    ...range,
    script: "r.sh",
    retry: { attempts: 2, backoff: "100ms" },
    halt: { alike: 0 },
  });
  t.equal((await runMuster(["run", job, "-i", inventory, "--limit", "one"], options)).code, 3);
  const byUnit = await why("range", "13");
  t.equal(byUnit.code, 0, byUnit.err);
  t.match(byUnit.out, /^chunk 10-20 of range: failed.*\n {2}attempt 1: failed .*\n {6}try.*\n {2}attempt 2: failed /);
  t.match(await why("range", "20"), { code: 64, err: /chunk "20" does not exist/ });
  t.match(await why("nothing", "1"), { code: 64, err: /nothing: is neither a run directory/ });
  t.match(await why("range"), { code: 64, err: /missing required argument 'chunk'/ });
});
