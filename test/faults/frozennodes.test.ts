import { appendFileSync } from "node:fs";
import t from "tap";
import { runMuster } from "../cli/startmuster.js";
import { DelayingProxy } from "../lab/proxy.js";
import { shareLab } from "../lab/sharedlab.js";
import { checkNodes, checkResults } from "./checks.js";
import { KnownJob } from "./knownjob.js";
import { createMulberry32 } from "./mulberry32.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: 6, gpus: 0 }, "cutting nodes off");
const [near, ...rigs] = nodes;
t.setTimeout(300_000);

/** Runs a job on some of the nodes; resolves with how long that took, in seconds. */
async function timeRun(name: string, inventory: string, limit: string[]): Promise<{ seconds: number; out: string }> {
  const job = new KnownJob(shop, name, { chunks: 20 });
  const began = performance.now();
  const ran = await job.muster(["-i", inventory, "--limit", limit.join(",")]);
  const seconds = (performance.now() - began) / 1000;
  if (ran.code !== 0) throw new Error(`${name} failed: ${ran.err}${ran.out}`);
  checkResults(t, job);
  return { seconds, out: ran.out };
}

t.test("a run with a frozen rig ends as soon as the same run without that rig", { skip }, async (t) => {
  const inventory = lab.inventory();
  const frozen = rigs[0]!;
  await frozen.cutOff();
  const [alone, withFrozen] = [[] as number[], [] as number[]];
  for (let round = 0; round < 3; round++) {
    alone.push((await timeRun(`alone-${round}`, inventory, [near!.name])).seconds);
    const ran = await timeRun(`frozen-${round}`, inventory, [near!.name, frozen.name]);
    withFrozen.push(ran.seconds);
    t.match(ran.out, /node2: 0 chunks.*\(connecting: no answer within \d+\.\d s, when the work was done\)/);
    t.notMatch(ran.out, /may still hold/);
  }
  await frozen.heal();
  t.comment(`without the frozen rig ${alone}, with it ${withFrozen}`);
  t.ok(Math.min(...withFrozen) < Math.max(...alone) + 0.5, `${withFrozen} and ${alone}`);
  await checkNodes(t, nodes);
});

t.test("the steps of a pipeline do not wait for a frozen rig either", { skip }, async (t) => {
  const frozen = rigs[0]!;
  await frozen.cutOff();
  const job = new KnownJob(shop, "line", { chunks: 4 });
  const file = shop.write("line/pipeline.yaml", {
    kind: "pipeline",
    name: "line",
    steps: { first: { job: "job.yaml" }, second: { job: "job.yaml", needs: ["first"] } },
  });
  const began = performance.now();
  const ran = await runMuster(["run", file, "-i", lab.inventory(), "--limit", `${near!.name},${frozen.name}`]);
  const seconds = (performance.now() - began) / 1000;
  await frozen.heal();
  t.equal(ran.code, 0, ran.err);
  t.equal(job.listExecutions([near!]).length, 8);
  t.ok(seconds < 40, `${seconds} s; two steps that wait for their dials take 40 s`);
  await checkNodes(t, nodes);
});

t.test("rigs that thaw at 50 random moments of short runs keep no agent, process or file", { skip }, async (t) => {
  const random = createMulberry32(19);
  const proxies = await Promise.all(rigs.map((rig) => DelayingProxy.start(rig, 0)));
  t.teardown(() => Promise.all(proxies.map((proxy) => proxy.stop())));
  const places = rigs.map((rig, index) => {
    const { host, port } = proxies[index]!;
    appendFileSync(lab.knownHosts, `[${host}]:${port} ${rig.hostKey}\n`);
    return [rig.name, { host, port }] as const;
  });
  const inventory = lab.inventory({ file: "thawing.yaml", nodes: Object.fromEntries(places) });
  let ready = 0;
  let longest = (await timeRun("unthawed", inventory, [near!.name])).seconds;
  for (let round = 0; round < 10; round++) {
    for (const proxy of proxies) proxy.stall();
    const delays = proxies.map(() => random() * longest * 1000);
    const thaws = proxies.map((proxy, index) => setTimeout(() => proxy.resume(), delays[index]));
    const { seconds, out } = await timeRun(`thaw-${round}`, inventory, ["*"]);
    for (const thaw of thaws) clearTimeout(thaw);
    for (const proxy of proxies) proxy.resume();
    longest = Math.max(longest, seconds);
    ready += rigs.filter(({ name }) => !out.includes(`${name}: 0 chunks`)).length;
    t.notMatch(out, /may still hold/, `thawed after ${delays.map(Math.round)} ms`);
    await checkNodes(t, nodes);
  }
  t.comment(`${ready} of 50 rigs had work; the longest run took ${longest.toFixed(1)} s`);
});
