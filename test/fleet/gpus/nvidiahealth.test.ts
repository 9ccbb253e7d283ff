import t from "tap";
import { adviseOnSickGpu } from "../../../fleet/gpus/gpuadvice.js";
import { assessGpus, type ExpectedGpus } from "../../../fleet/gpus/gpuhealth.js";
import type { ProbeOutput } from "../../../fleet/gpus/probeoutput.js";

const A = "0000:03:00.0";
const B = "0000:06:00.0";
const two: ExpectedGpus = { vendor: "nvidia", count: 2, addresses: [] };

const said = (stdout: string, exit = 0, stderr = ""): ProbeOutput => ({ exit, stdout, stderr });
const bus = (...cards: string[]) => said(cards.map((pci) => `${pci} 0x10de\n`).join(""));
const row = (pci: string, sm = "210", mem = "405", state = "P8", errors = "[N/A]") =>
  `0000${pci}, 550.1, ${sm}, ${mem}, ${state}, ${errors}\n`;
const NO_LOG = said("", 1);

t.test("errors of the tool that are certain: no chunk goes to any GPU, with what to do", async (t) => {
  const table: [output: ProbeOutput, reason: RegExp, next: RegExp][] = [
    [said("No devices were found\n", 6), /finds no GPU/, /reboot the node/],
    [
      said("Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 550.163\n", 18),
      /version mismatch/,
      /its driver was updated/,
    ],
    [
      said(
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n",
        9,
      ),
      /the driver is not loaded/,
      /modprobe nvidia/,
    ],
    [said("", 9, "Failed to initialize NVML: Driver Not Loaded\n"), /the driver is not loaded/, /modprobe nvidia/],
    [said("Failed to initialize NVML: Unknown Error\n", 255), /denies access/, /container/],
  ];
  for (const [output, reason, next] of table)
    for (const answers of [
      [bus(A, B), output, NO_LOG],
      [bus(), output, NO_LOG],
    ]) {
      const { sick, toolError, areAllHealthy } = assessGpus(two, [], answers);
      t.same([...sick.keys()], [0, 1]);
      for (const sentence of sick.values()) {
        t.match(sentence, reason);
        t.match(adviseOnSickGpu({ limits: {}, kernel: {} }, sentence), next);
      }
      t.match(toolError, /^nvidia-smi: exit /);
      t.notOk(areAllHealthy);
    }
  const { sick } = assessGpus(two, [A, B], [bus(A), said("No devices were found\n", 6), NO_LOG]);
  t.match(sick.get(1), "not on the PCI bus any more", "what is known of one GPU goes first");
});

t.test("errors of the tool that say nothing about the GPUs", async (t) => {
  const table = [
    said("Failed to initialize NVML: Insufficient Permissions\n", 4),
    said("NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.\n", 12),
    said("Segmentation fault\n", 139),
  ];
  for (const output of table) {
    const { sick, toolError } = assessGpus(two, [A, B], [bus(A, B), output, NO_LOG]);
    t.equal(sick.size, 0, `${toolError}`);
    t.match(toolError, `nvidia-smi: exit ${output.exit}`);
  }
});

t.test("words in the row of a card", async (t) => {
  const reasons = (text: string, exit = 0) =>
    [...assessGpus(two, [A, B], [bus(A, B), said(text, exit), NO_LOG]).sick].map(([index, why]) => `${index} ${why}`);
  const lost = row(B, "[GPU is lost]", "[GPU is lost]", "[GPU is lost]", "[GPU is lost]");
  t.same(reasons(row(A) + lost), [`1 GPU ${B}: the driver has lost it`]);
  t.same(reasons(row(A) + lost, 15), [`1 GPU ${B}: the driver has lost it`], "rows count whatever the exit code");
  t.same(reasons(row(A) + row(B, "[GPU requires reset]")), [`1 GPU ${B}: it requires a reset`]);
  t.same(reasons(row(A, "ERR!") + row(B)), [`0 GPU ${A}: sm N/A, mem 405, perf auto`]);
  t.same(reasons(row(A) + row(B, "210", "405", "P8", "[Unknown Error]")), [], "of the ECC counter, no state");
});

t.test("a value that a card never reported is no illness, one that it stops reporting is", async (t) => {
  const silent = row(A, "[N/A]", "[Not Supported]", "[N/A]");
  const first = assessGpus(two, [], [bus(A, B), said(silent + row(B)), NO_LOG]);
  t.equal(first.sick.size, 0);
  const second = assessGpus(
    two,
    first.cards,
    [bus(A, B), said(silent + row(B, "210", "[N/A]")), NO_LOG],
    first.reported,
  );
  t.same([...second.sick], [[1, `GPU ${B}: sm 210, mem N/A, perf auto`]]);
  const again = assessGpus(two, first.cards, [bus(A, B), said(silent + row(B)), NO_LOG], second.reported);
  t.equal(again.sick.size, 0, "and it is well when it reports it again");
});

t.test("a warning beside the rows is a note", async (t) => {
  const warning = "WARNING: infoROM is corrupted at gpu 0000:03:00.0";
  const { sick, toolError, notes } = assessGpus(
    two,
    [],
    [bus(A, B), said(`${row(A)}${row(B)}${warning}\n`, 14), NO_LOG],
  );
  t.same([sick.size, toolError, notes], [0, undefined, [`nvidia-smi: ${warning}`]]);
});

t.test("the rows of a tool that was killed are not its whole report", async (t) => {
  const killed = { ...said(row(A)), exit: null, error: "no answer within 10 s; killed" };
  const { sick, toolError } = assessGpus(two, [A, B], [bus(A, B), killed, NO_LOG]);
  t.same([sick.size, toolError], [0, "nvidia-smi: no answer within 10 s; killed"]);
});

t.test("Xid errors: those after which NVIDIA's catalog wants a reset", async (t) => {
  const xid = (code: number, text = "pid=7, name=python3, text") =>
    `[1.5] NVRM: Xid (PCI:0000:03:00): ${code}, ${text}\n`;
  const reason = (log: string) => assessGpus(two, [A, B], [bus(A, B), said(row(A) + row(B)), said(log)]).sick.get(0);
  for (const code of [46, 48, 62, 64, 74, 79, 95, 109, 119, 120, 136, 140, 143, 158])
    t.match(reason(xid(code)), `the driver reported Xid ${code}`);
  for (const code of [13, 31, 43, 45, 63, 92, 94, 121, 155]) t.equal(reason(xid(code)), undefined, `Xid ${code}`);
  const action = (from: string, to: string) => xid(154, `GPU recovery action changed from ${from} to ${to}`);
  t.match(reason(action("0x0 (None)", "0x2 (Node Reboot Required)")), "Xid 154");
  t.match(reason(xid(79) + action("0x0 (None)", "0x2 (Node Reboot Required)")), "Xid 79");
  t.equal(reason(xid(95) + action("0x1 (GPU Reset Required)", "0x0 (None)")), undefined, "it has been reset");
  t.match(reason(action("0x1 (GPU Reset Required)", "0x0 (None)") + xid(79)), "Xid 79", "an error after that");
});
