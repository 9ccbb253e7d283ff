import t from "tap";
import { SlotMonitor } from "../../../executor/run/node/slotmonitor.js";
import { assessGpus } from "../../../fleet/gpus/gpuhealth.js";
import type { Node } from "../../../fleet/node.js";
import { diffGpus } from "../../../playbooks/gpu.js";
import { buildNodesDocument, formatNodesTable } from "../../../report/nodestable.js";
import { facts } from "../../report/samples.js";
import { type Capture, expectedGpus, readCaptures } from "./capture.js";

/** What a command says about the GPUs of a node: of the tool first, then of each GPU. */
type Sentences = string[];

/** `muster verify gpu` and `muster doctor`, which use the same playbook. */
function verify(capture: Capture): Sentences {
  const [bus, ...tools] = capture.answers;
  return diffGpus(expectedGpus(capture), [bus!, { kind: "missing" }, ...tools]).map(
    ({ what, have }) => `${what}: ${have}`,
  );
}

/** `muster nodes`. */
function nodes(capture: Capture): { json: Sentences; text: string } {
  const gpuHealth = assessGpus(expectedGpus(capture), [], capture.answers);
  const node = { name: "rig", profile: { name: "p", vendor: capture.vendor }, tags: [] } as unknown as Node;
  const look = { node, facts: { ...facts, tools: {} }, gpuHealth: [gpuHealth] };
  const health = buildNodesDocument([look]).nodes[0] as {
    gpuHealth?: { sick: Record<string, string>; toolError: string | null } | null;
  };
  const { sick = {}, toolError = null } = health.gpuHealth ?? {};
  return {
    json: [...(toolError === null ? [] : [toolError]), ...Object.values(sick)],
    text: formatNodesTable([look], "usual", 0).replace(/\s+/g, " "),
  };
}

/** `muster run`, of all slots of the node. */
function run(capture: Capture): Sentences {
  const { vendor, count, addresses, known } = capture;
  const node = { name: "rig", profile: { vendor }, gpus: count ?? undefined, pci: addresses, gpuCheckSeconds: 60 };
  const said: Sentences = [];
  const monitor = new SlotMonitor(
    node as unknown as Node,
    () => {},
    (event) => {
      if (event.type === "gpuCheckFailed" || event.type === "slotSick") said.push(event.reason);
    },
  );
  monitor.start(known.map((_, index) => ({ node: "rig", slot: index, gpu: index })));
  monitor.handleMessage({ ev: "looked", answers: capture.answers });
  monitor.stop();
  return said;
}

const MISSING = { exit: 127, stdout: "", stderr: "sh: 1: exec: nvidia-smi: not found\n" };
const UNCHECKED: Capture = {
  ...readCaptures().find(({ id }) => id === "nv-15-inforom")!,
  id: "without a tool",
  expect: { sick: [] },
};
UNCHECKED.answers = [UNCHECKED.answers[0]!, MISSING, { exit: 1, stdout: "", stderr: "" }];

for (const capture of [...readCaptures(), UNCHECKED])
  t.test(`${capture.id}: all commands say the same`, async (t) => {
    const said = run(capture);
    t.same(verify(capture), said);
    const { json, text } = nodes(capture);
    t.same(json, said);
    for (const sentence of said) t.match(text, `! ${sentence.replace(/\s+/g, " ")}`);
    t.equal(
      said.some((one) => one.startsWith("GPU ")),
      capture.expect.sick.length > 0,
    );
  });
