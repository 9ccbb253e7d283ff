import t from "tap";
import { diffNvidia } from "../../../playbooks/nvidia/nvidiastate.js";

const FINE = {
  kernel: "6.8.0-60-generic",
  installed: "550.163.01",
  exit: "0",
  gpus: "2",
  driver: "550.163.01",
  error: "",
};
const WANT = { driver: "550", packages: [], hold: true };

function diff(changes: Record<string, string>, cards: number | undefined = 2, want: object = WANT) {
  const facts = Object.entries({ ...FINE, ...changes });
  const stdout = facts.map(([name, value]) => `${name}=${value}\n`).join("");
  const found = diffNvidia(want as typeof WANT, cards, { exit: 0, stdout, stderr: "" });
  return found.map((one) => `${one.what}: ${one.have} / ${one.want}`);
}

t.test("what keeps programs from the cards", (t) => {
  const mismatch = "Failed to initialize NVML: Driver/library version mismatch";
  const cases: [name: string, found: string[], wanted: string[]][] = [
    ["all is well", diff({}), []],
    ["another branch", diff({ installed: "535.183.01" }), ["driver nvidia: 535.183.01 / branch 550"]],
    [
      "a branch that begins with the same digits",
      diff({ installed: "5500.1" }),
      ["driver nvidia: 5500.1 / branch 550"],
    ],
    ["modinfo knows nothing, the tool does", diff({ installed: "" }), []],
    [
      "none is installed",
      diff({ installed: "", driver: "", smi: "missing" }),
      [
        "driver nvidia: none for kernel 6.8.0-60-generic / branch 550",
        "nvidia-smi: not installed / the package of the driver's tools",
      ],
    ],
    ["any branch", diff({ installed: "" }, 2, { packages: [], hold: true }), []],
    [
      "library and module do not fit",
      diff({ exit: "18", gpus: "0", driver: "", error: mismatch }),
      [`GPUs that nvidia-smi sees: 0: ${mismatch} / 2 or more`],
    ],
    ["a warning about the infoROM", diff({ exit: "14", error: "WARNING: infoROM is corrupted" }), []],
    ["a card is missing", diff({ gpus: "1" }), ["GPUs that nvidia-smi sees: 1 / 2 or more"]],
    ["it hangs", diff({ exit: "124", gpus: "0" }), ["GPUs that nvidia-smi sees: 0: no answer within 30 s / 2 or more"]],
  ];
  for (const [name, found, wanted] of cases) t.same(found, wanted, name);
  t.same(diffNvidia(WANT, 2, { exit: null, stdout: "", stderr: "", error: "timed out" }), [
    { what: "driver", have: "timed out", want: "an answer" },
  ]);
  t.end();
});
