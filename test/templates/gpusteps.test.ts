import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import t from "tap";
import type { CardStepResult } from "../../playbooks/power/cardsteps.js";
import { gpuStepsSource } from "../../templates/nodeprograms.js";
import { Freezer, lackingFreezer } from "../lab/freezer.js";

/** Runs the program as on a node. `stdin`: what its script of the PCI bus prints. */
function perform(request: object, stdin = ""): Record<string, CardStepResult[]> {
  const argv = ["-IS", "-c", gpuStepsSource(), JSON.stringify({ seconds: 1, ...request })];
  const output = execFileSync("python3", argv, { input: stdin, encoding: "utf8" });
  return (JSON.parse(output) as { cards: Record<string, CardStepResult[]> }).cards;
}

const A = "0000:03:00.0";
const B = "0000:06:00.0";
const run = (...argv: string[]) => ({ do: "run", argv });

t.test("every GPU of a vendor on the bus gets the same steps", async (t) => {
  const bus = `${A} 0x1002\n0000:05:00.0 0x10de\n${B} 0x1002 integrated\nx 0x1002\n`;
  const request = { vendor: "0x1002", every: [run("echo", "{pci}"), run("false"), run("echo", "on")], stops: false };
  const rest = [{ text: "", error: "exit 1: it printed nothing" }, { text: "on" }];
  t.same(perform(request, bus), { [A]: [{ text: A }, ...rest], [B]: [{ text: B }, ...rest] });
});

t.test("a GPU's steps end at the first that fails, those of the others do not", async (t) => {
  const cards = { [A]: [run("no-such-tool"), run("echo", "never")], [B]: [run("echo", "1"), run("echo", "2")] };
  t.same(perform({ cards, stops: true }), {
    [A]: [{ error: "no-such-tool cannot be started: No such file or directory" }],
    [B]: [{ text: "1" }, { text: "2" }],
  });
  const said = "Setting locked GPU clocks is not supported for GPU 00000000:03:00.0.";
  const lines = `printf '${said}\\nTreating as warning and moving on.\\nAll done.\\n'`;
  const ignored = perform({ cards: { [A]: [run("sh", "-c", lines), run("echo", "never")] }, stops: true });
  t.match(ignored, { [A]: [{ error: said }] });
  t.equal(ignored[A]!.length, 1);
});

t.test("a step that hangs is killed with what it has started, and delays no other GPU", async (t) => {
  const mark = `${86_400 + process.pid}`;
  const cards = { [A]: [run("echo", "1"), run("sh", "-c", `sleep ${mark}; true`)], [B]: [run("echo", "2")] };
  t.same(perform({ cards, stops: true }), {
    [A]: [{ text: "1" }, { error: "no answer within 1 s; killed" }],
    [B]: [{ text: "2" }],
  });
  t.notMatch(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" }), `sleep ${mark}`);
});

t.test(
  "a step that cannot be killed delays neither the other GPUs nor the end",
  { skip: lackingFreezer() },
  async (t) => {
    const freezer = Freezer.create(t.testdir());
    t.teardown(() => freezer.remove());
    const cards = { [A]: [run("echo", "1"), run(...freezer.command)], [B]: [run("echo", "2")] };
    t.same(perform({ cards, stops: true }), {
      [A]: [{ text: "1" }, { error: "no answer within 1 s; killed" }],
      [B]: [{ text: "2" }],
    });
    t.same(freezer.states(), ["D"], "it is still there");
  },
);

const skip = existsSync("/sys/bus/pci/devices") ? false : "no PCI bus here";

t.test("what a driver refuses names the command", { skip }, async (t) => {
  // From the folder of the bus, whose address is "..", /dev/full is a file that takes nothing.
  const write = { do: "write", file: "../../../dev/full", texts: ["s 0 500", "c"], undo: "r" };
  t.same(perform({ cards: { "..": [write] }, stops: true }), {
    "..": [{ error: "the driver refuses `s 0 500`: No space left on device" }],
  });
  const missing = { do: "read", file: "no_such_file" };
  t.same(perform({ cards: { [A]: [missing] }, stops: true }), { [A]: [{ error: "No such file or directory" }] });
});
