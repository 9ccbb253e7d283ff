import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runMuster, startMuster, waitForExit } from "../cli/startmuster.js";
import { startLab } from "../lab/lab.js";
import { lacking } from "../lab/requirements.js";
import { inventoryWith, listStates, runVerb } from "./runverb.js";

const skip = lacking("power cycle");

const RAM = "ramdisk /dev/shm/step3";

/** Slow on purpose: it changes its file only after another one has come. */
const SLOW = `import { fileResource, type Playbook } from "muster";
const slow: Playbook = () => [{
  ...fileResource({ path: "/srv/slow", content: "done" }),
  async change(_, { $, place }) {
    await $\`touch /srv/begun; until test -e /srv/go; do sleep 0.1; done\`;
    await place({ path: "/srv/slow", content: Buffer.from("done") });
  },
}];
export default slow;
`;

t.test("a fleet is provisioned with nodes that are off, that reboot, and two at once", { skip }, async (t) => {
  const lab = await startLab({ nodes: 3, gpus: 0 });
  t.teardown(() => lab.stop());
  const [one, two, three] = lab.nodes;
  mkdirSync(join(lab.folder, "playbooks"));
  writeFileSync(join(lab.folder, "playbooks/slow.ts"), SLOW);
  const top = { ramdisk: { "/dev/shm/step3": ["train.json"] }, playbooks: ["ramdisk"] };
  const inventory = inventoryWith(lab, { top }, { "train.json": "{}\n" });
  await three!.rekey();

  await t.test("drift is exit 2, and --check changes nothing", async (t) => {
    for (const words of [["verify"], ["provision", "--check"]]) {
      const found = await runVerb(inventory, [...words, "--limit", "node1,node2"]);
      t.equal(found.code, 2, found.err);
      t.same(
        found.nodes.map(({ node }) => node),
        ["node1", "node2"],
      );
      t.same(listStates(found), { [RAM]: "drift" });
    }
  });

  await t.test("a node that cannot be reached does not hide the others", async (t) => {
    const ran = await runMuster(["provision", "-i", inventory]);
    t.equal(ran.code, 3, ran.err);
    t.match(
      ran.out,
      /^2 nodes +ramdisk .* changed\n {4}on node1, node2\n/m,
      "what both have in common is reported once",
    );
    t.match(ran.out, /^node3 +unreachable\n {4}.*HOST KEY HAS CHANGED/m);
    for (const line of ran.out.split("\n")) t.ok(line.length <= 80, line);
    t.equal((await runVerb(inventory, ["verify", "--limit", "node3"])).code, 69);
    const again = await runVerb(inventory, ["provision", "--limit", "node1,node2"]);
    t.equal(again.code, 0);
    t.same(listStates(again), { [RAM]: "ok" });
  });

  await t.test("after a reboot the ramdisk is empty, and --if-rebooted fills it where it must", async (t) => {
    await one!.powerCycle();
    t.same(listStates(await runVerb(inventory, ["verify", "--limit", "node1"])), { [RAM]: "drift" });
    const filled = await runVerb(inventory, ["provision", "--if-rebooted", "--limit", "node1,node2"]);
    t.equal(filled.code, 0, filled.err);
    t.same(listStates(filled), { [RAM]: "changed" });
    t.match(filled.nodes[1], { state: "skipped", reason: /not rebooted/ });
    const again = await runVerb(inventory, ["provision", "--if-rebooted", "--limit", "node1,node2"]);
    t.same(
      again.nodes.map(({ state }) => state),
      ["skipped", "skipped"],
    );
    const other = await runVerb(inventory, ["verify", "slow", "--limit", "node1"]);
    t.equal(other.code, 2, "another playbook has not succeeded since");
  });

  await t.test("two provisions at once on a node: the second waits, and says so", async (t) => {
    const first = startMuster(["provision", "slow", "-i", inventory, "--limit", "node1"]);
    const firstEnd = waitForExit(first);
    await one!.exec(["sh", "-c", "until test -e /srv/begun; do sleep 0.1; done"]);
    const second = startMuster(["provision", "slow", "-i", inventory, "--limit", "node1"]);
    const secondEnd = waitForExit(second);
    await new Promise<void>((resolve) => second.stderr!.once("data", () => resolve()));
    t.match(await runMuster(["provision", "slow", "-i", inventory, "--limit", "node1", "--lock-wait", "500ms"]), {
      code: 75,
      err: /waiting for it for at most 0.5 s/,
      out: /^node1 +busy\n +another provision is still running there after a wait of 0.5 s\n +next: Wait until it has finished,.*\n\n1 node: 1 node busy/m,
    });
    t.match(await runMuster(["provision", "slow", "-i", inventory, "--lock-wait", "soon"]), {
      code: 64,
      err: /--lock-wait soon: it must be/,
    });
    await one!.exec(["touch", "/srv/go"]);
    const [ran, waited] = await Promise.all([firstEnd, secondEnd]);
    t.match(ran, { code: 0, out: /file \/srv\/slow +changed/ }, ran.err);
    t.match(waited, {
      code: 0,
      out: /^1 node: 1 resource ok$/m,
      err: /node1: another provision is running on this node; waiting/,
    });
  });

  await t.test(
    "a provision killed in the middle leaves the old file and no lock, and the next one finishes",
    async (t) => {
      await two!.exec(["sh", "-c", "echo old >/srv/slow"]);
      const first = startMuster(["provision", "slow", "-i", inventory, "--limit", "node2"]);
      const end = waitForExit(first);
      await two!.exec(["sh", "-c", "until test -e /srv/begun; do sleep 0.1; done"]);
      first.kill("SIGKILL");
      await end;
      t.equal((await two!.exec(["cat", "/srv/slow"])).stdout, "old\n");
      await two!.exec(["touch", "/srv/go"]);
      const next = await runVerb(inventory, ["provision", "slow", "--limit", "node2"]);
      t.equal(next.code, 0, next.err);
      t.equal((await two!.exec(["cat", "/srv/slow"])).stdout, "done");
      t.same(await two!.quiet(20), []);
    },
  );

  await t.test("logind may remove the folder of the lock meanwhile", async (t) => {
    await two!.exec(["sh", "-c", "rm /srv/slow /srv/go /srv/begun"]);
    const end = waitForExit(startMuster(["provision", "slow", "-i", inventory, "--limit", "node2"]));
    await two!.exec([
      "sh",
      "-c",
      "until test -e /srv/begun; do sleep 0.1; done; rm -r /dev/shm/muster-0; touch /srv/go",
    ]);
    t.match(await end, { code: 0, out: /file \/srv\/slow +changed/ });
    t.equal(
      (await runVerb(inventory, ["provision", "slow", "--if-rebooted", "--limit", "node2"])).nodes[0]!.state,
      "skipped",
    );
  });
});
