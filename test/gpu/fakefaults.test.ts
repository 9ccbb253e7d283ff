import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import t from "tap";
import type { LabNode } from "../lab/lab.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { lacksCompiler, prepareNode, runSuite, setFault } from "./suiterun.js";

/** Runs some checks under a fault of the driver, and returns what differs from what is wanted. */
async function checkFault(node: LabNode, { fault, outcomes, reason }: FaultCase): Promise<string[]> {
  setFault(node, fault);
  const seen = await runSuite(node, ...Object.keys(outcomes));
  setFault(node, undefined);
  const isRight = seen.exit === 1 && isDeepStrictEqual(seen.outcomes, outcomes) && reason.test(seen.out);
  return isRight ? [] : [`${fault}: exit ${seen.exit}: ${seen.out}`];
}

interface FaultCase {
  fault: string;
  outcomes: Record<string, string>;
  reason: RegExp;
}

/** The checks that show a fault of the driver. */
const faultCases: FaultCase[] = [
  {
    fault: "unbound",
    outcomes: { binding: "FAIL" },
    reason: /the chunk of GPU 0000:03:00.0 sees 2 devices/,
  },
  { fault: "leak", outcomes: { memory: "FAIL" }, reason: /20\d\d MiB are used 3 s later, 1 before/ },
  {
    fault: "broken",
    outcomes: { library: "FAIL", "sieve-hits": "FAIL" },
    reason: /library .*cuInit: ERROR_INVALID_VALUE.*sieve-hits .*cuInit: ERROR_INVALID_VALUE/s,
  },
  {
    fault: "wrong-hits",
    outcomes: { "sieve-hits": "FAIL" },
    reason: /(driver|built): 46 hits, the processor 47; seed \d+ is a hit that was not found/,
  },
  {
    fault: "no-kernel",
    outcomes: { fault: "FAIL" },
    reason: /the chunk did not fail in its kernel: the driver failed: cuModuleGetFunction: /,
  },
  {
    fault: "hang",
    outcomes: { facts: "ok", library: "FAIL", binding: "FAIL", "binding-torch": "skipped", memory: "FAIL" },
    reason: /binding +the driver's library does not answer: .* did not end within 6 s \(0\.0 s\)/,
  },
];

t.test("nvidia", async (t) => {
  const { skip: lack, nodes } = await shareLab(
    t,
    { nodes: ["zeus", "hera"], gpus: 2, vendor: "nvidia" },
    "looking into nodes",
  );
  const skip = lack || lacksCompiler;
  const [node, other] = nodes as [LabNode, LabNode];
  if (!skip) await Promise.all([prepareNode(node, "nvidia"), prepareNode(other, "nvidia")]);

  t.test("a fault of the driver fails the checks that show it", { skip }, async (t) => {
    const halves = [faultCases.slice(0, 3), faultCases.slice(3)];
    const problems = await Promise.all(
      halves.map(async (cases, half) => {
        const found: string[] = [];
        for (const one of cases) found.push(...(await checkFault(half === 0 ? node : other, one)));
        return found;
      }),
    );
    t.same(problems.flat(), []);
  });

  t.test("a signal ends the suite, its chunks and its folder; a hanging nvidia-smi is named", { skip }, async (t) => {
    other.setGpus({ tools: "hang" });
    const hanging = runSuite(other, "facts");
    const suite = runSuite(node, "facts", "memory-timeout", "fault");
    const find = (word: string) => node.processes().find(({ argv }) => argv.includes(word));
    await waitUntil("a chunk is in its kernel", () => find("spin") !== undefined);
    process.kill(find("suite.main")!.pid, "SIGTERM");
    const { exit, outcomes, out } = await suite;
    t.equal(exit, 143, out);
    t.same(outcomes, { facts: "ok" }, out);
    t.match(out, /^test\/gpu\/run: SIGTERM: the checks end here\n1 ok, 0 failed, 0 skipped in /m);
    t.notMatch(out, "Traceback");
    t.same(await node.quiet(5), [], "no process is left");
    const left = readdirSync(join(node.root, "tmp")).filter((name) => name.startsWith("muster-gpu-"));
    t.same(left, [], "no folder is left");
    t.match(readFileSync(join(node.root, "tmp/gpu-record.txt"), "utf8"), /^muster \d.*SIGTERM.*^\$ nvidia-smi -L$/ms);
    const named = await hanging;
    other.setGpus({ tools: undefined });
    t.equal(named.exit, 69);
    t.equal(named.out, "test/gpu/run: nvidia-smi: no answer within 20 s.\n");
  });

  t.test("a signal while the power cap is another one restores it", { skip }, async (t) => {
    const settings = join(other.root, "run/fake-nvidia");
    rmSync(settings, { recursive: true, force: true });
    const suite = runSuite(other, "power");
    const readLog = () => (existsSync(join(settings, "log")) ? readFileSync(join(settings, "log"), "utf8") : "");
    await waitUntil("the cap is another one", () => readLog().includes("-pl 345\n"));
    process.kill(other.processes().find(({ argv }) => argv.includes("suite.main"))!.pid, "SIGHUP");
    const { exit, out } = await suite;
    t.equal(exit, 129, out);
    t.match(out, /^test\/gpu\/run: SIGHUP: the checks end here\n0 ok, 0 failed, 0 skipped in /m);
    t.match(readLog(), /^(\S+) -pl 345\n(.*\n)*\1 -pl 350\.00\n$/m, "the card has its cap again");
  });

  t.test("a tool that names no processes, as in a container", { skip }, async (t) => {
    setFault(other, "nameless");
    const { exit, out } = await runSuite(other, "holder");
    setFault(other, undefined);
    t.equal(exit, 0, out);
    t.match(out, /^ok +holder .*are still in use .*\(the vendor's tool does not name process \d+\)/m);
  });
});
