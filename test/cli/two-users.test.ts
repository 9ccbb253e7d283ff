import { existsSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { checkNodes, checkResults } from "../faults/checks.js";
import { KnownJob } from "../faults/knownjob.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster } from "./startmuster.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: ["rig"], gpus: 1, vendor: "amd" }, "two users on a node");
const [node] = nodes;
const RIG = 4242;
/** The users who log in, with the same key. */
const as = (user: "root" | "rig", change: Record<string, unknown> = {}, top = {}) =>
  lab.inventory({ file: `${user}.yaml`, nodes: { rig: { user, ...change } }, top });
const root = (script: string) => node!.exec(["sh", "-c", `set -e; ${script}`]);

/** Returns the pid of a user's agent on the node. */
async function agentOf(uid: number): Promise<string> {
  const isAgent = `[ "$(stat -c %u $p)" = ${uid} ] && ls -l $p/fd | grep -q agent.log`;
  const { stdout } = await root(`for p in /proc/[0-9]*; do if ${isAgent}; then basename $p; fi; done 2>/dev/null`);
  return stdout.trim();
}

/** Runs a job of one user while the job of another holds the GPU. Returns the output of the second. */
async function share(
  t: Test,
  name: string,
  [first, second]: [string, string],
  uid: number,
): Promise<{ said: string; pid: string }> {
  const before = new KnownJob(shop, `${name}-first`, { chunks: 3, gate: true });
  const after = new KnownJob(shop, `${name}-second`, { chunks: 3 });
  const holding = before.start(["-i", first]);
  await waitUntil("a chunk of the first runs", () => before.listRunning(nodes).length > 0);
  const waiting = after.start(["-i", second]);
  await waitUntil("the second waits", () => /slot 0 waits for/.test(waiting.stderr()));
  const pid = await agentOf(uid);
  t.same(after.listExecutions(nodes), [], "the second has begun nothing");
  before.openGate(nodes);
  for (const [job, { ended }] of [
    [before, holding],
    [after, waiting],
  ] as const) {
    const ran = await ended;
    t.equal(ran.code, 0, ran.err);
    checkResults(t, job);
  }
  await checkNodes(t, nodes);
  return { said: waiting.stderr(), pid };
}

t.test("two users on one node use its GPU in turn, and the holder is named by uid and pid", { skip }, async (t) => {
  const one = await share(t, "by-root", [as("root"), as("rig")], 0);
  t.match(one.said, `slot 0 waits for uid 0, pid ${one.pid} (run by-root-first)`);
  const other = await share(t, "by-rig", [as("rig"), as("root")], RIG);
  t.match(other.said, `slot 0 waits for uid 4242, pid ${other.pid} (run by-rig-first)`);
  t.same(
    (await root("ls /var/tmp")).stdout.split("\n").filter((name) => name.startsWith("muster-")),
    [],
  );
});

t.test("root's lock files work across network namespaces", { skip }, async (t) => {
  const playbooks = { playbooks: ["gpu-locks"] };
  const provisioned = await runMuster(["provision", "-i", as("root", {}, playbooks)]);
  t.equal(provisioned.code, 0, provisioned.err);
  await root(
    `printf '#!/bin/sh\\nexec unshare --net /usr/bin/python3 "$@"\\n' >/usr/local/bin/isolated; chmod 755 /usr/local/bin/isolated`,
  );
  const { said, pid } = await share(t, "isolated", [as("root", { python: "/usr/local/bin/isolated" }), as("rig")], 0);
  t.match(said, `slot 0 waits for uid 0, pid ${pid} (it has locked /var/lib/muster/gpu-locks/gpu-0.lock)`);
});

t.test("lock files that other users could replace are not used, which is reported", { skip }, async (t) => {
  await root("chmod 1777 /var/lib/muster/gpu-locks; mkdir /var/tmp/muster-4242; chmod 777 /var/tmp/muster-4242");
  const job = new KnownJob(shop, "unsafe", { chunks: 3 });
  const ran = await job.muster(["-i", as("rig")]);
  t.equal(ran.code, 0, ran.err);
  t.match(ran.err, /\/var\/lib\/muster\/gpu-locks is writable by everyone: GPUs are locked without it/);
  t.match(ran.err, /\/var\/tmp\/muster-4242 belongs to root \(uid 0\)|\/var\/tmp\/muster-4242 is writable by everyone/);
  await root("chmod 755 /var/lib/muster/gpu-locks; rmdir /var/tmp/muster-4242");
});

t.test(
  "a work folder that other users could replace is rejected with the reason, also by doctor",
  { skip },
  async (t) => {
    await root("mkdir -m 777 /srv/shared");
    const inventory = as("rig", { workdir: "/srv/shared/work" });
    const job = new KnownJob(shop, "refused", { chunks: 2 });
    const refused = await job.muster(["-i", inventory]);
    t.equal(refused.code, 69, refused.err);
    t.match(refused.err, /refused: \/srv\/shared is writable by everyone and has no sticky bit: others could replace/);
    t.match(refused.err, /run `chmod o-w \/srv\/shared`; or set another `workdir`/);
    t.notOk(existsSync(join(node!.root, "srv/shared/work")), "nothing was made there");
    const doctor = await runMuster(["doctor", "-i", inventory, "--json"]);
    t.equal(doctor.code, 2, doctor.err);
    t.match(doctor.out, /"have": "is writable by everyone and has no sticky bit"/);
    await root("chmod 1777 /srv/shared");
    const ran = await job.muster(["-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    checkResults(t, job);
  },
);

t.test("a home that only the user's private group can write to is accepted, as on Debian", { skip }, async (t) => {
  await root("chmod 775 /home/rig");
  const job = new KnownJob(shop, "private", { chunks: 2 });
  t.equal((await job.muster(["-i", as("rig")])).code, 0);
  checkResults(t, job);
  await root("sed -i 's/^rig:x:4242:$/rig:x:4242:daemon/' /etc/group");
  const refused = await new KnownJob(shop, "joined", { chunks: 2 }).muster(["-i", as("rig")]);
  t.equal(refused.code, 69, refused.err);
  t.match(refused.err, /refused: \/home\/rig is writable by group rig and has no sticky bit/);
  t.match(refused.err, /run `chmod g-w \/home\/rig`/);
});
