import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { type MusterResult, runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

interface Step {
  step: string;
  state: string;
  reason?: string;
  repetitions?: Step[];
}
const run = (file: string, ...words: string[]) => runMuster(["run", file, "-i", "local", "--json", ...words]);
const stepsOf = (ran: MusterResult): Step[] => JSON.parse(ran.out).steps;
const statesOf = (ran: MusterResult): Record<string, string> =>
  Object.fromEntries(
    stepsOf(ran)
      .flatMap((step) => [step, ...(step.repetitions ?? [])])
      .map(({ step, state }) => [step, state]),
  );

/** A job that counts its runs by value, and adds the value to each of two numbers. */
function writeJob(name: string): void {
  const counts = join(shop.folder, "counts", name);
  shop.write(`counts/${name}/.keep`, "");
  shop.write(`${name}/add.yaml`, {
    kind: "matrix",
    matrix: { n: [1, 3] },
    params: { k: 0 },
    command: [
      "sh",
      "-c",
      `echo x >> ${counts}/$0-$1; until [ $0-$1 != "$WAIT_FOR" ] || [ -e ${counts}/go ]; do sleep 0.1; done; expr $0 + $1 > sum`,
    ],
    args: ["{k}", "{n}"],
    outputs: ["sum"],
    aggregate: { from: "sum", as: "array", to: "sums.json" },
  });
}

/** Returns how often each chunk of the job has run, by `VALUE-CHUNK`. */
function counts(name: string): Record<string, number> {
  const folder = join(shop.folder, "counts", name);
  const names = readdirSync(folder).filter((one) => one.includes("-"));
  return Object.fromEntries(names.sort().map((one) => [one, shop.read(`counts/${name}/${one}`).length / 2]));
}

t.test(
  "a job and a command are repeated over values and lines, and what follows gets all of their files",
  async (t) => {
    writeJob("all");
    shop.write("all/local.txt", "\n  x y \n\n../z\n");
    const file = shop.write("all/p.yaml", {
      steps: {
        list: { command: ["sh", "-c", "printf '10\\n\\n20\\n' > {out}/list"], outputs: ["list"] },
        sums: { job: "add.yaml", each: { lines: "list/list" }, set: { k: "{each}" } },
        texts: {
          command: ["sh", "-c", "printf %s '{each}' > {out}/text"],
          each: { lines: "local.txt" },
          outputs: ["text"],
        },
        pairs: {
          command: ["sh", "-c", "cat {in}/own.json > {out}/copy"],
          each: { lines: "list/list" },
          inputs: { "own.json": "sums/{each}/sums.json" },
          outputs: ["copy"],
        },
        collect: {
          command: ["sh", "-c", "cd {in} && find -L . -type f | sort > {out}/files"],
          inputs: { sums: "sums/sums.json", one: "sums/20/sums.json", all: "texts", copies: "pairs/copy" },
          outputs: ["files"],
        },
        total: { job: "total.yaml", inputs: { sums: "sums/sums.json" } },
      },
    });
    shop.write("all/sums/any", "");
    shop.write("all/total.yaml", {
      kind: "matrix",
      matrix: { n: [0, 1] },
      command: ["sh", "-c", "cat sums/*/sums.json | tr -d '\\n ' > all"],
      args: [],
      inputs: ["sums"],
      outputs: ["all"],
    });
    const plan = await runMuster(["run", file, "-i", "local", "--plan"]);
    t.match(
      plan.out,
      /sums: job \S*add\.yaml, for each line of list\/list, after list\n {4}its values are made by step list; not known yet/,
    );
    t.match(plan.out, /texts: command .*, for each of x y, \.\.\/z\n/);
    const first = await run(file);
    t.equal(first.code, 0, first.err + first.out);
    t.match(statesOf(first), {
      sums: "complete",
      "sums/10": "complete",
      "sums/20": "complete",
      "texts/x%20y": "complete",
      "texts/%2E.%2Fz": "complete",
    });
    t.match(
      stepsOf(first).find(({ step }) => step === "sums"),
      { run: { chunks: { done: 4, failed: 0 } } },
    );
    const at = "all/runs/p";
    t.same(shop.json(`${at}/sums/10/sums.json`), [11, 12]);
    t.equal(shop.read(`${at}/texts/%2E.%2Fz/results/text`), "../z");
    t.same(shop.json(`${at}/pairs/20/results/copy`), [21, 22]);
    t.same(shop.read(`${at}/collect/results/files`).trimEnd().split("\n"), [
      "./all/%2E.%2Fz/text",
      "./all/x%20y/text",
      "./copies/10/copy",
      "./copies/20/copy",
      "./one",
      "./sums/10/sums.json",
      "./sums/20/sums.json",
    ]);
    t.equal(shop.read(`${at}/total/results/n=0/all`), "[11,12][21,22]");
    const status = await runMuster(["status", "p"], { cwd: join(shop.folder, "all") });
    t.match(
      status.out,
      /p: complete: 100 %, 6 steps done\n(.*\n)* {2}sums: complete.*\n {2}sums\/10: complete, 100 %, 2 chunks/,
    );
    const again = await run(file);
    t.match(JSON.parse(again.out), { already: true, state: "complete" });
    const after = await run(file, "--fresh", "--from", "collect");
    t.match(statesOf(after), { sums: "taken over", texts: "taken over", collect: "complete", total: "left out" });
    t.equal(shop.read("all/runs/p-2/collect/results/files"), shop.read(`${at}/collect/results/files`));
    t.notOk(existsSync(join(shop.folder, "all/runs/p-2/sums/10/journal.ndjson")));
  },
);

t.test("a killed pipeline is resumed at the right repetition", async (t) => {
  writeJob("kill");
  const file = shop.write("kill/p.yaml", {
    steps: {
      list: { command: ["sh", "-c", "seq 1 6 > {out}/list"], outputs: ["list"] },
      sums: { job: "add.yaml", each: { lines: "list/list" }, set: { k: "{each}", "env.WAIT_FOR": "4-1" } },
      after: {
        command: ["sh", "-c", "cat {in}/sums/*/sums.json | tr -d '\\n ' > {out}/all"],
        inputs: { sums: "sums/sums.json" },
        outputs: ["all"],
      },
    },
  });
  // list begins, ends; sums begins, and its first repetition.
  const early = await runMuster(["run", file, "-i", "local"], { env: { MUSTER_KILL_AT: "step-begun:3" } });
  t.equal(early.code, null, "killed as the first repetition began");
  t.same(counts("kill"), {});
  const ended = (name: string) =>
    shop.read("kill/runs/p/journal.ndjson").includes(`"e":"end","step":"${name}","state":"complete"`);
  const within = startMuster(["run", file, "-i", "local"]);
  const end = waitForExit(within);
  await waitUntil("all but the one that waits have ended", () =>
    ["1", "2", "3", "5", "6"].every((k) => ended(`sums/${k}`)),
  );
  await waitUntil("that one has begun", () => counts("kill")["4-1"] === 1);
  within.kill("SIGKILL");
  await end;
  const before = counts("kill");
  t.match(before, { "1-1": 1, "6-2": 1 });
  const status = await runMuster(["status", "p"], { cwd: join(shop.folder, "kill") });
  t.match(status.out, / {2}sums: interrupted\n {2}sums\/1: complete(.*\n)* {2}sums\/4: interrupted/);
  shop.write("counts/kill/go", "");
  const last = await run(file);
  t.equal(last.code, 0, last.err + last.out);
  t.equal(new Set(Object.values(counts("kill"))).size, 1, "every chunk of every repetition ran once");
  t.equal(Object.keys(counts("kill")).length, 12);
  t.equal(shop.read("kill/runs/p/after/results/all"), "[2,3][3,4][4,5][5,6][6,7][7,8]");
});

t.test("a failed repetition fails its step, and only that one is tried again", async (t) => {
  const file = shop.write("fail/p.yaml", {
    steps: {
      some: { command: ["sh", "-c", "echo x >> ran-{each}; [ {each} != b ] || [ -e go ]"], each: ["a", "b", "c"] },
      after: { command: ["true"], needs: ["some"] },
    },
  });
  const failed = await runMuster(["run", file, "-i", "local"]);
  t.equal(failed.code, 3);
  t.match(
    failed.out,
    /some: +failed, \S+ s: 1 of 3 repetitions have no results\n +some\/b: exit code 1\n +after: +blocked/,
  );
  shop.write("fail/go", "");
  const again = await run(file);
  t.equal(again.code, 0, again.err);
  t.same(
    ["a", "b", "c"].map((value) => shop.read(`fail/ran-${value}`)),
    ["x\n", "x\nx\n", "x\n"],
  );
  shop.write("fail/p.yaml", shop.read("fail/p.yaml").replace('"c"', '"d"'));
  t.match(await run(file), { code: 65, err: /step some has changed/ }, "other values are another pipeline");
});

t.test(
  "when: changed reuses repetitions one by one; no lines are no repetitions; invalid lines fail the step",
  async (t) => {
    const write = (lines: string) => {
      shop.write("lines/source", lines);
      return shop.write("lines/p.yaml", {
        steps: {
          list: { command: ["cp", "source", "{out}/list"], outputs: ["list"] },
          some: {
            command: ["sh", "-c", "echo {each} > {out}/o"],
            each: { lines: "list/list" },
            outputs: ["o"],
            when: "changed",
          },
          after: { command: ["sh", "-c", "ls {in}/all > {out}/names"], inputs: { all: "some/o" }, outputs: ["names"] },
        },
      });
    };
    const names = (path: string) => shop.read(`lines/runs/${path}/after/results/names`);
    t.equal((await run(write("1\n2\n"))).code, 0);
    const more = await run(write("2\n3\n1\n"), "--fresh");
    t.match(statesOf(more), { some: "complete", "some/1": "unchanged", "some/2": "unchanged", "some/3": "complete" });
    t.equal(names("p-2"), "1\n2\n3\n");
    const none = await run(write("\n \n"), "--fresh");
    t.match(statesOf(none), { some: "complete", after: "complete" }, none.err + none.out);
    t.equal(names("p-3"), "");
    const twice = await runMuster(["run", write("a\n\na\n"), "-i", "local", "--fresh"]);
    t.equal(twice.code, 3);
    t.match(
      twice.out,
      /some: +failed, \S+ s: \S+\/runs\/p-4\/list\/results\/list:3:1: "a" appears twice\n +Step list has made this file\./,
    );
    const out = await run(write("..\n"), "--fresh");
    t.match(statesOf(out), { "some/%2E.": "complete" });
  },
);

t.test(
  "muster cancel ends the commands of all repetitions, and one that was not recorded when it was killed",
  async (t) => {
    const file = shop.write("cancel/p.yaml", {
      steps: {
        some: {
          command: ["sh", "-c", "echo $$ > pid-{each}.new; mv pid-{each}.new pid-{each}; sleep 600"],
          each: ["a", "b"],
        },
      },
    });
    const killed = await runMuster(["run", file, "-i", "local"], { env: { MUSTER_KILL_AT: "command-spawned:2" } });
    t.equal(killed.code, null, "it was killed");
    const folder = join(shop.folder, "cancel");
    await waitUntil("both run", () => ["a", "b"].every((name) => existsSync(join(folder, `pid-${name}`))));
    const pids = ["a", "b"].map((name) => Number(shop.read(`cancel/pid-${name}`)));
    t.ok(pids.every((pid) => existsSync(`/proc/${pid}`)));
    const cancelled = await runMuster(["cancel", "p"], { cwd: folder });
    t.equal(cancelled.code, 0, cancelled.err);
    await waitUntil("both are ended", () => pids.every((pid) => !existsSync(`/proc/${pid}`)));
  },
);
