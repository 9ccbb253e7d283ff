import t from "tap";
import type { Lab } from "../lab/lab.js";
import { shareLab } from "../lab/sharedlab.js";
import { runMuster } from "./startmuster.js";

const { skip, lab } = await shareLab(t, { nodes: 3, gpus: 2, vendor: "amd" }, "spoiling nodes");

interface Answer {
  here: { missing: string[] };
  nodes: { node: string; state: string; resources: { resource: string; state: string; notes: string[] }[] }[];
}

t.test("exit status 0 if nothing is wrong", { skip }, async (t) => {
  const ran = await runMuster(["doctor", "-i", lab.inventory(), "--json"]);
  t.equal(ran.code, 0, ran.out + ran.err);
  const { here, nodes } = JSON.parse(ran.out) as Answer;
  t.same(here.missing, []);
  t.equal(nodes.length, 3);
});

t.test("an unusable workdir, leftovers of a run, and a node that is off are each reported", { skip }, async (t) => {
  const [first, second, third] = lab.nodes as [Lab["nodes"][0], Lab["nodes"][0], Lab["nodes"][0]];
  await first.exec(["mount", "-t", "tmpfs", "-o", "noexec,size=8m", "tmpfs", "/mnt"]);
  await second.exec(["mkdir", "-p", "/root/.muster/runs/sieve-0123456789ab"]);
  const inventory = lab.inventory({ nodes: { [first.name]: { workdir: "/mnt/work" } } });
  const two = await runMuster(["doctor", first.name, second.name, "-i", inventory]);
  t.equal(two.code, 2, two.err);
  t.match(two.out, /noexec/);
  t.match(two.out, /8 MiB free|[67] MiB free/);
  t.match(two.out, /holds\s+sieve-0123456789ab/);
  await third.powerOff();
  const all = await runMuster(["doctor", "-i", inventory, "--json"]);
  t.equal(all.code, 3, all.err);
  const states = (JSON.parse(all.out) as Answer).nodes.map(({ state }) => state);
  t.same(states, ["differs", "in sync", "unreachable"]);
});

t.test("programs that are missing here are named, with their packages", { skip }, async (t) => {
  const ran = await runMuster(["doctor", "-i", "local"], { env: { PATH: "/nowhere" } });
  t.not(ran.code, 0);
  t.match(ran.err, /flock is not installed .*\n\s+next: apt-get install util-linux/);
});
