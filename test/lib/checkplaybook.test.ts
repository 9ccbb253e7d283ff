import { mkdirSync, writeFileSync } from "node:fs";
import t from "tap";
import { checkPlaybook } from "../../lib/checkplaybook.js";
import { readPlaybookStarter } from "../../templates/starters.js";
import { shareLab } from "../lab/sharedlab.js";

const { skip, lab } = await shareLab(t, { nodes: ["one", "two"], gpus: 1 });
const node = "one";

/** Writes a playbook beside the lab's inventory. */
function writePlaybook(name: string, text: string): void {
  mkdirSync(`${lab.folder}/playbooks`, { recursive: true });
  writeFileSync(`${lab.folder}/playbooks/${name}.ts`, text);
}

t.test("the playbook that `muster init` writes passes on a node, and tampering is found", { skip }, async (t) => {
  writePlaybook("example", readPlaybookStarter("example"));
  const { problems, passes } = await checkPlaybook("example", {
    inventory: lab.inventory(),
    node,
    tampering: [
      {
        name: "another link",
        spoil: ({ $ }) => $`ln -sfn elsewhere muster-example/latest.ini`,
        finds: ["link ~/muster-example/latest.ini"],
      },
      {
        name: "all gone",
        spoil: ({ $ }) => $`rm -r muster-example`,
        finds: ["folder ~/muster-example", "file ~/muster-example/node.ini", "link ~/muster-example/latest.ini"],
      },
    ],
  });
  t.same(problems, []);
  t.same(
    passes.map(({ name }) => name),
    [
      ...["before", "provision", "verify", "provision again"],
      ...["another link", "all gone"].flatMap((one) => ["found", "mended", "verify"].map((pass) => `${one}: ${pass}`)),
    ],
  );
  t.same(
    passes[0]!.verdicts.map(({ state }) => state),
    ["drift", "drift", "drift"],
  );
});

t.test("tampering that is not found, or found elsewhere, is a problem", { skip }, async (t) => {
  writePlaybook("example", readPlaybookStarter("example"));
  const check = (command: string, finds: string[]) =>
    checkPlaybook("example", {
      inventory: lab.inventory(),
      node,
      tampering: [{ name: "spoilt", spoil: ({ $ }) => $`sh -c ${command}`, finds }],
    }).then(({ problems }) => problems);
  const link = "link ~/muster-example/latest.ini";
  t.same(await check("true", [link]), [`spoilt: found: "${link}" is ok, expected drift`]);
  t.match(await check("rm muster-example/latest.ini", []), [
    `spoilt: found: "${link}" is drift, expected ok (link is missing, not node.ini)`,
  ]);
  t.match(await check("true", ["link x"]), ['spoilt: found: the playbook has no resource "link x"']);
});

t.test("a playbook that changes something each time, or nothing, does not pass", { skip }, async (t) => {
  const makeResource = (diff: string, change: string) =>
    `export default () => [{ name: "x", probe: { ask: "command", argv: ["sh", "-c", "echo x >>probed; wc -l <probed"], timeout: 5 },
       diff: ({ stdout }) => ${diff}, ${change} }];`;
  const drift = `[{ what: "lines", have: stdout.trim(), want: "other" }]`;
  writePlaybook("impure", makeResource(`Number(stdout) % 4 === 0 ? [] : ${drift}`, "change: async () => {}"));
  t.match((await checkPlaybook("impure", { inventory: lab.inventory(), node: "two" })).problems, [
    /^(verify|provision again): "x" is (drift|changed), expected ok/,
  ]);
  writePlaybook("lame", makeResource(drift, "change: async () => {}"));
  t.match((await checkPlaybook("lame", { inventory: lab.inventory(), node })).problems, [
    /^provision: "x" is failed, expected ok or changed \(it was changed but still differs: lines: \d+/,
  ]);
});

t.test("it needs one node", { skip }, async (t) => {
  await t.rejects(checkPlaybook("example", { inventory: lab.inventory() }), { code: "USAGE" });
  await t.rejects(checkPlaybook("nothing", { inventory: lab.inventory(), node }), { code: "NO_PLAYBOOK" });
});
