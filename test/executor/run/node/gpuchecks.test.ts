import t from "tap";
import { GpuChecks } from "../../../../executor/run/node/gpuchecks.js";
import { fullProbeScripts } from "../../../../fleet/gpus/gpuprobe.js";
import type { ProbeOutput } from "../../../../fleet/gpus/probeoutput.js";
import type { Node } from "../../../../fleet/node.js";
import { type Capture, readCaptures } from "../../../fleet/gpus/capture.js";

const NOTHING: ProbeOutput = { exit: 0, stdout: "", stderr: "" };

/** A node with the GPUs of these captures. */
function createChecks(captures: Capture[]): GpuChecks {
  const gpuGroups = captures.map(({ vendor, count, addresses }) => {
    return { profile: { name: vendor, vendor }, count: count ?? undefined, pci: addresses, env: {} };
  });
  return new GpuChecks({ profile: { vendor: "none" }, gpuGroups } as unknown as Node);
}

/** The answers to all scripts of a vendor: captures end with the last one that had something to say. */
function listAnswers({ vendor, answers }: Capture): ProbeOutput[] {
  return fullProbeScripts(vendor).map((_, index) => answers[index] ?? NOTHING);
}

/** What a check says, by vendor. */
function check(captures: Capture[]) {
  const checks = createChecks(captures);
  const found = checks.assess(captures.flatMap(listAnswers)) ?? [];
  return found.map(({ health: { vendor, sick, toolError } }) => ({ vendor, sick: [...sick], toolError }));
}

const captures = readCaptures();
const ofVendor = (vendor: Capture["vendor"]) => captures.filter((one) => one.vendor === vendor);

t.test("the GPUs of each vendor are judged by its tools alone, whatever those of the other say", async (t) => {
  const pairs = ofVendor("amd").flatMap((amd) => ofVendor("nvidia").map((nvidia) => [amd, nvidia]));
  t.ok(pairs.length >= 48, `${pairs.length} pairs of captures`);
  for (const pair of pairs)
    for (const order of [pair, [...pair].reverse()])
      t.same(
        check(order),
        order.flatMap((one) => check([one])),
        order.map(({ id }) => id).join(" and "),
      );
});

t.test("a node with GPUs of one vendor may be checked quickly, one with two never", async (t) => {
  const [amd, nvidia] = [ofVendor("amd")[0]!, ofVendor("nvidia")[0]!];
  t.equal(createChecks([amd]).quickScripts?.length, 2);
  t.equal(createChecks([amd, nvidia]).quickScripts, undefined);
  t.equal(
    createChecks([amd, nvidia]).fullScripts.length,
    fullProbeScripts("amd").length + fullProbeScripts("nvidia").length,
  );
});
