import t from "tap";
import type { GpuGroup } from "../../../fleet/node.js";
import type { CommandState } from "../../../playbooks/engine/resource.js";
import { assessSettings } from "../../../playbooks/power/assessment.js";
import { pciAddress } from "../../lab/fakegpus.js";

const said = (stdout: unknown, more: object = {}) => ({ exit: 0, stdout, stderr: "", ...more }) as CommandState;
const bus = (...indexes: number[]) => said(indexes.map((index) => `${pciAddress(index)} 0x1002\n`).join(""));
const group = (powerWatts: number, more: Partial<GpuGroup> = {}): GpuGroup => ({
  profile: { name: "x", vendor: "amd", env: {}, kernel: {}, limits: {}, settings: { powerWatts } },
  env: {},
  ...more,
});
const CAP = [{ text: "100000000" }, { text: "1000000" }, { text: "500000000" }];
const answer = (cards: unknown) => said(`\n${JSON.stringify({ muster_gpu_steps: 1, cards }).replace(":1,", ": 1,")}\n`);
const all = answer(Object.fromEntries([0, 1, 2].map((index) => [pciAddress(index), CAP])));
const wanted = (...[groups, ...answers]: [GpuGroup[], CommandState, CommandState]) =>
  assessSettings("amd", groups, answers).cards.map(({ pci, settings }) => [pci, settings.powerWatts]);

t.test("each GPU has the settings of its kind; others are left alone", async (t) => {
  const [first, second, third] = [0, 1, 2].map(pciAddress) as [string, string, string];
  t.same(
    wanted([group(90)], bus(0, 1, 2), all),
    [first, second, third].map((pci) => [pci, 90]),
  );
  t.same(
    wanted([group(90, { count: 2 })], bus(0, 1, 2), all),
    [first, second].map((pci) => [pci, 90]),
  );
  const counted = [group(90, { count: 1 }), group(90, { count: 2 })];
  t.same(
    wanted(counted, bus(0, 1, 2), all),
    [first, second, third].map((pci) => [pci, 90]),
  );
  const kinds = [group(80, { pci: [third] }), group(90, { pci: [first] })];
  t.same(wanted(kinds, bus(0, 1, 2), all), [
    [third, 80],
    [first, 90],
  ]);
});

t.test("no answer of a node is a crash", async (t) => {
  const table: unknown[] = [
    "",
    "{",
    '{"muster_gpu_steps": 1,',
    '{"muster_gpu_steps": 1, "cards": [1]}',
    '{"muster_gpu_steps": 1, "cards": {"__proto__": [], "../x": []}}',
  ];
  for (const text of table) {
    const { cards, problem } = assessSettings("amd", [group(90)], [bus(0), said(text)]);
    t.ok(cards.length + (problem === undefined ? 0 : 1) > 0, String(text));
  }
  for (const results of [null, 7, "x", [null], [[]], [{ text: 7 }], [{ error: {} }], [{ text: "1e9" }]]) {
    const { cards } = assessSettings("amd", [group(90)], [bus(0), answer({ [pciAddress(0)]: results })]);
    t.equal(cards.length, 1, JSON.stringify(results));
  }
  const failed = assessSettings("amd", [group(90)], [bus(0), said("", { exit: 1, stderr: "a\nSyntaxError: b\n" })]);
  t.match(failed.problem, { what: "GPUs of amd", have: "cannot be examined: SyntaxError: b" });
});
