import { readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { fileResource } from "../../playbooks/engine/fileresource.js";
import type { Playbook, Resource } from "../../playbooks/engine/resource.js";
import { startLab } from "../lab/lab.js";
import { lacking } from "../lab/requirements.js";
import { findVerdict, listWrong, nameTest, TestNode } from "./testnode.js";

const skip = lacking("another login shell");

const names = [
  "it's",
  'say "hi"',
  "two\nlines",
  "$(touch pwned)",
  "`touch pwned`",
  "-rf",
  "a\\b",
  "end ",
  "é \u{1f600}",
  "*?[a]",
  "!!",
  "%s%n",
  "#~",
  "x".repeat(255),
];
const bytes = Buffer.from(Array.from({ length: 1024 }, (_, index) => index % 256));

const hostile: Playbook = () =>
  names.map((name, index) =>
    fileResource({ name: `file ${index}`, path: `~/hostile/${name}`, content: index === 0 ? bytes : name }),
  );

t.test("any name and any byte arrives unchanged", { skip }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0, banner: "Welcome to $(this) `rig`'s" });
  t.teardown(() => lab.stop());
  const bench = await TestNode.open(lab.inventory(), hostile);
  t.teardown(() => bench.connection.close());
  t.same(new Set((await bench.provision()).verdicts.map(({ state }) => state)), new Set(["changed"]));
  t.same(listWrong(await bench.verify()), []);
  const folder = join(lab.nodes[0]!.root, "root/hostile");
  for (const [index, name] of names.entries())
    t.ok(readFileSync(join(folder, name)).equals(index === 0 ? bytes : Buffer.from(name)), JSON.stringify(name));
  t.equal((await lab.nodes[0]!.exec(["find", "/", "-xdev", "-name", "pwned"])).stdout, "");

  await t.test("$ runs commands on the node, and passes each argument as one word", async (t) => {
    const seen: string[] = [];
    const asks: Playbook = (): Resource[] => [
      {
        name: "says",
        probe: { ask: "command", argv: ["test", "-e", "/srv/said"], timeout: 5 },
        diff: (have) => ((have as { exit: number }).exit === 0 ? [] : [{ what: "said", have: "no", want: "yes" }]),
        async change(_, { $ }) {
          for (const name of [...names, ""]) seen.push((await $`printf '[%s]' ${name}`).stdout);
          seen.push((await $`pwd`).stdout, (await $({ cwd: "/srv", input: "given" })`pwd; cat`).stdout);
          seen.push(`${(await $`exit 7`.nothrow()).exitCode}`);
          seen.push((await $`printf '%s,' ${["a b", "c"]}`.pipe($`tr a-z A-Z`)).stdout);
          await $`touch /srv/said`;
        },
      },
      {
        name: "fails",
        probe: { ask: "file", path: "/nowhere", cap: 0 },
        diff: () => [{ what: "file", have: "missing", want: "it" }],
        async change(_, { $ }) {
          await $`echo why >&2; false; echo not reached`;
        },
      },
      { name: "waits", after: ["fails"], probe: { ask: "file", path: "/etc/passwd", cap: 0 }, diff: () => [] },
      { name: "continues", probe: { ask: "file", path: "/etc/passwd", cap: 0 }, diff: () => [] },
      {
        name: "broken",
        probe: { ask: "file", path: "/etc/passwd", cap: 0 },
        diff: () => {
          throw new Error("a bug of its own");
        },
      },
      {
        name: "secret",
        probe: { ask: "file", path: "/etc/passwd", cap: 0 },
        diff: () => [{ what: "password", have: "hunter2", want: "hunter3", diff: "-hunter2", secret: true }],
      },
    ];
    bench.playbooks = [nameTest(asks, "asks")];
    const done = await bench.provision();
    t.same(
      seen.slice(0, names.length + 1),
      [...names, ""].map((name) => `[${name}]`),
    );
    t.same(seen.slice(names.length + 1), ["/root\n", "/srv\ngiven", "7", "A B,C,"]);
    t.equal(findVerdict(done, "says").state, "changed");
    t.match(findVerdict(done, "fails"), { state: "failed", reason: "a command failed (exit 1): why" });
    t.match(findVerdict(done, "waits"), { state: "blocked", reason: "fails is not in sync" });
    t.equal(findVerdict(done, "continues").state, "ok");
    t.match(findVerdict(done, "broken"), { state: "failed", reason: /a bug of its own/ });
    t.notMatch(JSON.stringify(findVerdict(done, "secret")), /hunter/);
    t.equal(findVerdict(done, "secret").state, "drift");
  });
});
