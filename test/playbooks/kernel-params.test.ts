import t from "tap";
import type { Difference, FileState, PlaybookContext, Resource } from "../../playbooks/engine/resource.js";
import { type BootFiles, CMDLINE, DROP_IN, GRUB, planStaging } from "../../playbooks/kernel/bootloaders.js";
import { hasOption, setOption } from "../../playbooks/kernel/kernelcmdline.js";
import { isSameParameterValue } from "../../playbooks/kernel/parametervalue.js";
import kernelParams from "../../playbooks/kernel-params.js";

t.test("parameters are compared by value", async (t) => {
  const table: [string, string, boolean][] = [
    ["0xffff7fff", "4294934527\n", true],
    ["0xffff7fff", "0xFFFF7FFF", true],
    ["0xffff7fff", "-32769", true],
    ["0xffff7fff", "0xffffffff", false],
    ["-1", "18446744073709551615", false],
    ["-1", "4294967295", true],
    ["0xfff00000000", "0", false],
    ["18446744073709551615", "18446744073709551615", true],
    ["18446744073709551615", "18446744073709551614", false],
    ["1", "Y", true],
    ["0", "N", true],
    ["true", "Y", true],
    ["Y", "2", false],
    ["1,0,1", "Y,N,Y", true],
    ["1,0", "1", false],
    ["auto", "auto\n", true],
    ["auto", "Auto", false],
    ["1", "", false],
    ["", "", true],
    ["1", "constructor", false],
    ["1", "9".repeat(100_000), false],
  ];
  for (const [want, have, same] of table)
    t.equal(isSameParameterValue(want, have), same, `${want} = ${have.slice(0, 50)}`);
});

t.test("options of a kernel command line are parsed and replaced", async (t) => {
  const NAME = "amdgpu.ppfeaturemask";
  const table: [string, string][] = [
    ["", `${NAME}=1`],
    ["quiet splash", `quiet splash ${NAME}=1`],
    [`quiet ${NAME}=0  splash`, `quiet ${NAME}=1  splash`],
    [`${NAME}=0 ${NAME}=3 x`, `${NAME}=1  x`],
    [`${NAME}=0x1`, `${NAME}=0x1`],
    [`${NAME}=0 ${NAME}=1`, `${NAME}=0 ${NAME}=1`],
    [`my${NAME}=0 ${NAME}`, `my${NAME}=0 ${NAME} ${NAME}=1`],
  ];
  for (const [line, changed] of table) {
    t.equal(setOption(line, NAME, "1"), changed, line);
    t.ok(hasOption(changed, NAME, "1"));
  }
  t.ok(hasOption("snd-hda.x=1", "snd_hda.x", "1"), "- and _ are the same to the kernel");
  t.notOk(hasOption("a.b=1 a.b=2", "a.b", "1"), "the last one counts");
});

const WANT: [string, string][] = [["amdgpu.ppfeaturemask", "0xffff7fff"]];
const OPTION = "amdgpu.ppfeaturemask=0xffff7fff";
const DROPPED = planStaging({ hasGrubFolder: true }, WANT)?.map((step) => ("write" in step ? step.write : ""))[0];

t.test("kernel parameters that are missing in boot loaders are staged", async (t) => {
  const grub = (text: string, written: string): [BootFiles, unknown[]] => [
    { grub: text, hasGrubFolder: false },
    text === written ? [] : [{ loader: "GRUB", file: GRUB, have: text, write: written }],
  ];
  const table: [BootFiles, unknown][] = [
    [{ hasGrubFolder: false }, undefined],
    [{ hasGrubFolder: true, grub: "x" }, [{ loader: "GRUB", file: DROP_IN, have: "", write: DROPPED }]],
    [{ hasGrubFolder: true, dropIn: "old\n" }, [{ loader: "GRUB", file: DROP_IN, have: "old\n", write: DROPPED }]],
    [{ hasGrubFolder: true, dropIn: DROPPED }, []],
    [{ hasGrubFolder: true, dropIn: DROPPED, grubConfig: `\tlinux /vmlinuz ro ${OPTION}\n` }, []],
    [
      { hasGrubFolder: true, dropIn: DROPPED, grubConfig: "\tlinux /vmlinuz ro\n" },
      [{ loader: "GRUB", file: "grub.cfg", have: "made before the parameters were staged" }],
    ],
    grub('GRUB_CMDLINE_LINUX="" # x\n', `GRUB_CMDLINE_LINUX="${OPTION}" # x\n`),
    grub(`GRUB_CMDLINE_LINUX='a=b'`, `GRUB_CMDLINE_LINUX='a=b ${OPTION}'`),
    grub("GRUB_TIMEOUT=0", `GRUB_TIMEOUT=0\nGRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ${OPTION}"\n`),
    grub(
      `GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ${OPTION}"\n`,
      `GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX ${OPTION}"\n`,
    ),
    grub(
      'GRUB_CMDLINE_LINUX=""\nGRUB_CMDLINE_LINUX_DEFAULT="quiet amdgpu.ppfeaturemask=0xffffffff"\n',
      `GRUB_CMDLINE_LINUX="${OPTION}"\nGRUB_CMDLINE_LINUX_DEFAULT="quiet ${OPTION}"\n`,
    ),
    [
      { hasGrubFolder: false, cmdline: "root=/dev/sda1 quiet\n" },
      [
        {
          loader: "systemd-boot",
          file: CMDLINE,
          have: "root=/dev/sda1 quiet\n",
          write: `root=/dev/sda1 quiet ${OPTION}\n`,
        },
      ],
    ],
    [{ hasGrubFolder: false, cmdline: `a ${OPTION}` }, []],
    [
      { hasGrubFolder: false, kernelstub: '{"user": {"kernel_options": ["quiet", "amdgpu.ppfeaturemask=1"]}}' },
      [{ loader: "kernelstub", remove: ["amdgpu.ppfeaturemask=1"], add: [OPTION] }],
    ],
    [{ hasGrubFolder: false, kernelstub: `{"user": {"kernel_options": ["${OPTION}"]}}` }, []],
    [{ hasGrubFolder: false, kernelstub: "null" }, [{ loader: "kernelstub", remove: [], add: [OPTION] }]],
  ];
  for (const [loaders, steps] of table) {
    const found = planStaging(loaders, WANT);
    t.same(found, steps, JSON.stringify(loaders));
    // What is written stages it: nothing is left to do afterwards.
    const written = found?.find((step) => "write" in step);
    if (written === undefined || !("write" in written)) continue;
    const key = { [GRUB]: "grub", [DROP_IN]: "dropIn", [CMDLINE]: "cmdline" }[written.file]!;
    t.same(planStaging({ ...loaders, [key]: written.write }, WANT), []);
  }
});

const file = (text: string): FileState => ({ kind: "file", content: Buffer.from(text).toString("base64") });
const FOLDER: FileState = { kind: "folder" };
const MISSING: FileState = { kind: "missing" };

t.test("the playbook stages parameters and compares the running ones", async (t) => {
  const subject = {
    node: { profile: { kernel: { "amdgpu.ppfeaturemask": "0xffff7fff" } } },
  } as unknown as PlaybookContext;
  const [staged, running] = [...(kernelParams(subject) as Iterable<Resource<FileState[]>>)] as [
    Resource<FileState[]>,
    Resource<FileState[]>,
  ];
  t.same(
    [...(kernelParams({ node: { profile: { kernel: {} } } } as unknown as PlaybookContext) as Iterable<Resource>)],
    [],
  );
  const told = (found: Difference[]) => found.map(({ what, have, want }) => `${what}: ${have} -> ${want}`);
  const table: [FileState, FileState, string[]][] = [
    [file("4294934527\n"), FOLDER, []],
    [file("0xffffffff\n"), FOLDER, ["amdgpu.ppfeaturemask: 0xffffffff -> 0xffff7fff"]],
    [MISSING, MISSING, ["amdgpu.ppfeaturemask: the module amdgpu is not loaded -> 0xffff7fff"]],
    [MISSING, FOLDER, ["amdgpu.ppfeaturemask: the module amdgpu has no parameter ppfeaturemask -> 0xffff7fff"]],
    [
      { kind: "file", error: "Permission denied" },
      FOLDER,
      ["amdgpu.ppfeaturemask: cannot be read: Permission denied -> 0xffff7fff"],
    ],
  ];
  for (const [parameter, module, expected] of table) t.same(told(running.diff([parameter, module])), expected);
  t.ok(running.reboot);
  t.same(running.after, [staged.name]);
  const none = [MISSING, MISSING, MISSING, MISSING, MISSING, MISSING, MISSING];
  t.same(
    staged.diff([file("4294934527"), FOLDER, ...none]),
    [],
    "nothing is asked of the loader while the kernel is right",
  );
  t.same(told(staged.diff([file("1"), FOLDER, ...none])), [`boot loader: no supported one found -> ${OPTION}`]);
  const folder = none.with(1, FOLDER);
  t.match(staged.diff([file("1"), FOLDER, ...folder]), [{ what: DROP_IN, diff: /\+GRUB_CMDLINE_LINUX_DEFAULT=/ }]);
  t.same(staged.diff([file("1"), FOLDER, ...folder.with(2, file(DROPPED!))]), []);
});
