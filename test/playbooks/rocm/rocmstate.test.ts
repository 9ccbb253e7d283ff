import t from "tap";
import { diffRocm, isRelease } from "../../../playbooks/rocm/rocmstate.js";

const FINE = {
  release: "6.4.3-128",
  kernel: "6.8.0-60-generic",
  user: "michael",
  module: "/lib/modules/6.8.0-60-generic/updates/dkms/amdgpu.ko.zst",
  loaded: "yes",
  exit: "0",
  gpus: "8",
};
const WANT = { release: "6.4.3", driver: "6.4.3", packages: ["rocm"], hold: true };
const KERNELS_OWN = { module: "/lib/modules/6.8.0-60-generic/kernel/drivers/gpu/drm/amd/amdgpu/amdgpu.ko.zst" };

function diff(
  changes: Record<string, string | undefined>,
  want: Partial<typeof WANT> = {},
  cards: number | undefined = 8,
) {
  const facts = Object.entries({ ...FINE, ...changes }).filter(([, value]) => value !== undefined);
  const stdout = facts.map(([name, value]) => `${name}=${value}\n`).join("");
  const found = diffRocm({ ...WANT, ...want }, cards, { exit: 0, stdout, stderr: "" });
  return found.map((one) => `${one.what}: ${one.have} / ${one.want}`);
}

t.test("what keeps programs from the cards", (t) => {
  const cases: [name: string, found: string[], wanted: string[]][] = [
    ["all is well", diff({}), []],
    ["another release", diff({ release: "6.4.1-83" }), ["ROCm: 6.4.1-83 / 6.4.3"]],
    ["no release", diff({ release: "" }), ["ROCm: none in /opt/rocm / 6.4.3"]],
    ["any release", diff({ release: "" }, { release: undefined as never }), []],
    [
      "the driver was not built for this kernel",
      diff(KERNELS_OWN),
      ["driver amdgpu: the kernel's own for kernel 6.8.0-60-generic / amdgpu-dkms 6.4.3 (see `dkms status` there)"],
    ],
    ["the kernel's own driver is wanted", diff(KERNELS_OWN, { driver: undefined as never }), []],
    ["the driver is not loaded", diff({ loaded: undefined }), ["driver amdgpu: not loaded / loaded"]],
    ["no device", diff({ kfd: "missing" }), ["/dev/kfd: missing / the device of the driver"]],
    [
      "a user who is in no group",
      diff({ kfd: "render" }),
      ["/dev/kfd: michael may not open it / a member of its group, render"],
    ],
    ["no rocminfo", diff({ rocminfo: "missing" }), ["rocminfo: not installed / the package rocminfo"]],
    ["the graphics of the processor, too", diff({ gpus: "9" }), []],
    ["a card is missing", diff({ gpus: "7" }), ["GPUs that rocminfo sees: 7 / 8 or more"]],
    [
      "rocminfo fails",
      diff({ gpus: "0", exit: "1", error: "ROCk module is NOT loaded, possibly no GPU devices" }),
      ["GPUs that rocminfo sees: 0: ROCk module is NOT loaded, possibly no GPU devices / 8 or more"],
    ],
    [
      "rocminfo hangs",
      diff({ gpus: "0", exit: "124" }),
      ["GPUs that rocminfo sees: 0: no answer within 30 s / 8 or more"],
    ],
  ];
  for (const [name, found, wanted] of cases) t.same(found, wanted, name);
  t.same(diffRocm(WANT, 8, { exit: null, stdout: "", stderr: "", error: "timed out" }), [
    { what: "ROCm", have: "timed out", want: "an answer" },
  ]);
  t.end();
});

t.test("releases", (t) => {
  for (const [have, want, is] of [
    ["6.4.3-128", "6.4.3", true],
    ["6.4.0-47", "6.4", true],
    ["6.4.3-128", "6.4", false],
    ["6.10.0-1", "6.1", false],
    ["none in /opt/rocm", "6.4", false],
  ] as const)
    t.equal(isRelease(have, want), is, `${have} and ${want}`);
  t.end();
});
