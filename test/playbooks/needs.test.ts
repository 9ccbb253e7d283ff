import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runMuster } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { listStates, runVerb } from "./runverb.js";

const { skip, lab, nodes } = await shareLab(t, { nodes: 2, gpus: 0 }, "nodes of its own");
const [first] = nodes;

/** Writes playbooks that are about files in /srv; a file there that begins with "no" makes them fail. */
function writePlaybooks(texts: Record<string, string>): void {
  mkdirSync(join(lab.folder, "playbooks"), { recursive: true });
  const head = 'import { fileResource, type Handlers, type Playbook } from "muster";\n';
  for (const [name, text] of Object.entries(texts))
    writeFileSync(join(lab.folder, `playbooks/${name}.ts`), head + text);
}

const read = (path: string) => {
  const file = join(first!.root, path);
  return existsSync(file) ? readFileSync(file, "utf8") : undefined;
};

t.test("what a playbook needs runs before it, and blocks it where it fails", { skip }, async (t) => {
  const touches = (name: string, needs: string[]) => `export const needs = ${JSON.stringify(needs)};
    const p: Playbook = () => [
      { ...fileResource({ path: "/srv/${name}" , content: "${name}" }), name: "${name}",
        change: async (_, { $ }) => void (await $\`test ! -e /srv/no-${name} && echo ${name} >>/srv/order && printf ${name} >/srv/${name}\`) },
    ];
    export default p;`;
  writePlaybooks({
    base: touches("base", []),
    middle: touches("middle", ["base"]),
    top: touches("top", ["middle"]),
    apart: touches("apart", []),
  });
  const inventory = lab.inventory({ top: { playbooks: ["apart"] } });
  await first!.exec(["touch", "/srv/no-base"]);
  const provision = () => runVerb(inventory, ["provision", "top", "apart"]);
  const failing = await provision();
  t.equal(failing.code, 3);
  t.same(listStates(failing, 0), {
    base: "failed",
    "playbook middle": "blocked",
    "playbook top": "blocked",
    apart: "changed",
  });
  t.same(
    failing.nodes[0]!.resources.slice(1, 3).map(({ reason }) => reason),
    ["it needs base, where base has failed", "it needs middle, which is blocked"],
  );
  t.same(listStates(failing, 1), { base: "changed", middle: "changed", top: "changed", apart: "changed" });
  t.equal(read("srv/order"), "apart\n");
  await first!.exec(["rm", "/srv/no-base"]);
  t.equal((await provision()).code, 0);
  t.equal(read("srv/order"), "apart\nbase\nmiddle\ntop\n");

  const said = await runMuster(["verify", "top", "-i", inventory]);
  t.match(said, { code: 0, err: /^included: base \(middle needs it\), middle \(top needs it\)$/m });
  t.match(said.out, /2 nodes: 6 resources ok/);
});

t.test("needs that are misspelt, or circular, are errors before any connection", { skip }, async (t) => {
  const empty = (needs: string) => `export const needs = ${needs}; export default () => [];`;
  writePlaybooks({
    hen: empty('["egg"]'),
    egg: empty('["hen"]'),
    typo: empty('["packges"]'),
    odd: empty('"packages"'),
  });
  const inventory = lab.inventory({});
  const verify = (name: string) => runMuster(["verify", name, "-i", inventory]);
  t.match(await verify("hen"), {
    code: 65,
    err: /playbooks need each other: \S+\/hen\.ts needs egg, \S+\/egg\.ts needs hen\n/,
  });
  t.match(await verify("typo"), {
    code: 65,
    err: /typo\.ts: needs: there is no playbook "packges"\n.*did you mean "packages"/,
  });
  t.match(await verify("odd"), { code: 65, err: /odd\.ts: the export needs is no list of playbooks/ });
});

const CONF = `
  export const handlers: Handlers = {
    "reload a": ({ $ }) => $\`test ! -e /srv/no-reload || { echo cannot reload >&2; exit 3; }; test ! -e /srv/hang || { touch /srv/hanging; while test -e /srv/hang; do sleep 0.1; done; exit 9; }; echo a >>/srv/reloads\`,
    "reload b": ({ $ }) => $\`echo b >>/srv/reloads\`,
  };
  const p: Playbook = () => [
    fileResource({ path: "/srv/one", content: "1", notify: ["reload a", "reload b"] }),
    fileResource({ path: "/srv/two", content: "2", notify: "reload a" }),
    { ...fileResource({ path: "/srv/three", content: "3" }),
      change: async (_, { $ }) => void (await $\`test ! -e /srv/no-three && printf 3 >/srv/three\`) },
  ];
  export default p;`;

t.test("a handler runs once, at the end of its playbook, until it has succeeded", { skip }, async (t) => {
  writePlaybooks({ conf: CONF });
  const inventory = lab.inventory({});
  const [one, two, three] = ["file /srv/one", "file /srv/two", "file /srv/three"];
  const [a, b] = ["handler conf: reload a", "handler conf: reload b"];
  const act = (verb: string) => runVerb(inventory, [verb, "conf", "--limit", "node1"]);
  const marks = () => readdirSync(join(first!.root, "root/.muster/handlers")).length;

  const check = await runMuster(["provision", "conf", "--check", "--limit", "node1", "-i", inventory]);
  t.equal(check.code, 2);
  t.match(
    check.out,
    /node1 +handler conf: reload a +drift\n +file \/srv\/one: about to change; wanted: run the handler/,
  );
  t.equal(read("srv/reloads"), undefined);

  await first!.exec(["touch", "/srv/no-three", "/srv/no-reload"]);
  const failing = await act("provision");
  t.equal(failing.code, 3);
  t.same(listStates(failing), { [one]: "changed", [two]: "changed", [three]: "failed", [a]: "failed", [b]: "changed" });
  t.match(failing.nodes[0]!.resources[3], {
    reason: /exit.* 3.*cannot reload/,
    next: /next provision runs the handler/,
  });
  t.equal(read("srv/reloads"), "b\n", "also where a later resource has failed");
  t.equal(marks(), 2);
  const verified = await act("verify");
  t.match(verified.nodes[0]!.resources[3], {
    state: "drift",
    differences: [{ have: "changed, and it has not run since" }, { what: two }],
  });

  await first!.exec(["rm", "/srv/no-three", "/srv/no-reload"]);
  const mended = await act("provision");
  t.equal(mended.code, 0, mended.err);
  t.same(listStates(mended), { [one]: "ok", [two]: "ok", [three]: "changed", [a]: "changed", [b]: "ok" });
  t.equal(read("srv/reloads"), "b\na\n", "once for both files");
  t.equal(marks(), 0);
  const again = await act("provision");
  t.same([again.code, [...new Set(Object.values(listStates(again)))]], [0, ["ok"]]);
  t.equal(read("srv/reloads"), "b\na\n");
});

t.test("a handler that a lost connection has cut off is not forgotten", { skip }, async (t) => {
  writePlaybooks({ conf: CONF });
  const inventory = lab.inventory({});
  await first!.exec(["sh", "-c", "rm -f /srv/one /srv/reloads; touch /srv/hang"]);
  const cut = runVerb(inventory, ["provision", "conf", "--limit", "node1"]);
  await waitUntil("the handler runs", () => read("srv/hanging") !== undefined);
  await first!.dropConnections();
  t.equal((await cut).code, 69);
  await first!.exec(["rm", "/srv/hang"]);
  t.equal(read("srv/one"), "1");
  const mended = await runVerb(inventory, ["provision", "conf", "--limit", "node1"]);
  t.match(listStates(mended), {
    "file /srv/one": "ok",
    "handler conf: reload a": "changed",
    "handler conf: reload b": "changed",
  });
  t.equal(read("srv/reloads"), "a\nb\n");
});
