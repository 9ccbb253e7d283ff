import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import t from "tap";
import type { Difference, FileState, PlaybookContext, Resource } from "../../playbooks/engine/resource.js";
import {
  type BootFiles,
  CMDLINE,
  DROP_IN,
  GRUB,
  OLD_DROP_IN,
  planStaging,
} from "../../playbooks/kernel/bootloaders.js";
import { parseBootEntries } from "../../playbooks/kernel/bootprobe.js";
import { appendToGrubDefault, formatDropIn } from "../../playbooks/kernel/grubdefault.js";
import { hasOption, setOption } from "../../playbooks/kernel/kernelcmdline.js";
import { isSameParameterValue } from "../../playbooks/kernel/parametervalue.js";
import kernelParams from "../../playbooks/kernel-params.js";
import { decodeBytes, encodeBytes } from "../../schemas/bytetext.js";

type Files = Omit<BootFiles, "boot"> & { boot?: BootFiles["boot"] };

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
const NO_ENTRIES = { entries: [], hasGrubEntries: false, hasGrubby: false, ignoresGrubFolder: false };
const DROPPED = formatDropIn(WANT);
/** What muster appends to /etc/default/grub. */
const BLOCK = appendToGrubDefault("", WANT)!;

t.test("kernel parameters that are missing in boot loaders are staged", async (t) => {
  const grub = (text: string, written: string): [Files, unknown[]] => [
    { grub: text, hasGrubFolder: false },
    text === written ? [] : [{ loader: "GRUB", file: GRUB, before: text, write: written }],
  ];
  const cmdline = (text: string, written: string): [Files, unknown[]] => [
    { hasGrubFolder: false, cmdline: text },
    text === written ? [] : [{ loader: "systemd-boot", file: CMDLINE, before: text, write: written }],
  ];
  const dropIn = (before: string | undefined) => ({ loader: "GRUB", file: DROP_IN, before, write: DROPPED });
  const bls = { ...NO_ENTRIES, hasGrubEntries: true, hasGrubby: true };
  const table: [Files, unknown][] = [
    [{ hasGrubFolder: false }, undefined],
    [{ hasGrubFolder: true, grub: "x" }, [dropIn(undefined)]],
    [{ hasGrubFolder: true, dropIn: "old\n" }, [dropIn("old\n")]],
    [{ hasGrubFolder: true, dropIn: DROPPED }, []],
    [{ hasGrubFolder: true, dropIn: DROPPED, oldDropIn: "" }, [{ loader: "GRUB", file: OLD_DROP_IN, remove: true }]],
    [{ hasGrubFolder: true, dropIn: DROPPED, grubConfig: `\tlinux /vmlinuz ro ${OPTION}\n` }, []],
    [
      { hasGrubFolder: true, dropIn: DROPPED, grubConfig: "\tlinux /vmlinuz ro\n" },
      [{ loader: "GRUB", file: "grub.cfg", have: "not set" }],
    ],
    [
      { hasGrubFolder: true, dropIn: DROPPED, grubConfig: `\tlinux /vmlinuz ${OPTION} amdgpu.ppfeaturemask=1 x\n` },
      [{ loader: "GRUB", file: "grub.cfg", have: "amdgpu.ppfeaturemask=1" }],
    ],
    [
      { hasGrubFolder: true, grub: "x\n", boot: { ...NO_ENTRIES, ignoresGrubFolder: true } },
      [{ loader: "GRUB", file: GRUB, before: "x\n", write: `x\n${BLOCK}` }],
    ],
    [
      { hasGrubFolder: true, boot: { ...NO_ENTRIES, ignoresGrubFolder: true } },
      [{ loader: "GRUB", file: GRUB, problem: /cannot be read/ }],
    ],
    grub("", BLOCK),
    grub("GRUB_TIMEOUT=0", `GRUB_TIMEOUT=0\n${BLOCK}`),
    grub(`A=1\n${BLOCK}`, `A=1\n${BLOCK}`),
    grub(`A=1\n${BLOCK}B=2\n`, `A=1\nB=2\n${BLOCK}`),
    grub(`${BLOCK.replaceAll("\n", "\r\n")}B=2\r\n`, `B=2\r\n${BLOCK}`),
    grub(`# BEGIN muster kernel-params\nA=1\n`, `# BEGIN muster kernel-params\nA=1\n${BLOCK}`),
    [{ hasGrubFolder: false, grub: "A='1\nB=2\n" }, [{ file: GRUB, problem: /^line 3: it ends inside quotes/ }]],
    [{ hasGrubFolder: false, grub: "cat <<E\n" }, [{ file: GRUB, problem: /here-document/ }]],
    [{ hasGrubFolder: false, grub: "x", boot: bls }, [{ loader: "entries", have: "only root can read them" }]],
    [
      { hasGrubFolder: false, grub: "x", boot: { ...bls, entries: [`ro ${OPTION}`, "ro amdgpu.ppfeaturemask=1"] } },
      [{ loader: "entries", file: "boot entries", have: "amdgpu.ppfeaturemask=1" }],
    ],
    [{ hasGrubFolder: false, grub: "x", boot: { ...bls, entries: [`ro ${OPTION}`, `ro x ${OPTION}`] } }, []],
    [
      { hasGrubFolder: false, grub: "x\n", boot: { ...bls, hasGrubby: false } },
      [{ loader: "GRUB", file: GRUB, before: "x\n", write: `x\n${BLOCK}` }],
    ],
    [
      { hasGrubFolder: false, grub: BLOCK, boot: { ...bls, hasGrubby: false, entries: ["ro"] } },
      [{ loader: "GRUB", file: "boot entries", have: "not set" }],
    ],
    cmdline("root=/dev/sda1 quiet\n", `root=/dev/sda1 quiet ${OPTION}\n`),
    cmdline(`a ${OPTION}`, `a ${OPTION}`),
    cmdline("a\r\n", `a ${OPTION}\r\n`),
    cmdline("# why\n\nroot=x\nquiet # y\n", `# why\n\nroot=x ${OPTION}\nquiet # y\n`),
    cmdline("root=x\nquiet amdgpu.ppfeaturemask=1\n", `root=x\nquiet ${OPTION}\n`),
    cmdline(`# ${OPTION}\n`, `# ${OPTION}\n${OPTION}\n`),
    cmdline("", `${OPTION}\n`),
    [
      { hasGrubFolder: false, cmdline: OPTION, boot: { ...NO_ENTRIES, entries: ["ro"] } },
      [{ loader: "systemd-boot", file: "boot entries", have: "not set" }],
    ],
    [{ hasGrubFolder: false, cmdline: OPTION, boot: { ...NO_ENTRIES, entries: ["ro", `ro ${OPTION}`] } }, []],
    [
      { hasGrubFolder: false, kernelstub: '{"user": {"kernel_options": ["quiet", "amdgpu.ppfeaturemask=1"]}}' },
      [{ loader: "kernelstub", remove: ["amdgpu.ppfeaturemask=1"], add: [OPTION] }],
    ],
    [{ hasGrubFolder: false, kernelstub: `{"user": {"kernel_options": ["${OPTION}"]}}` }, []],
    [{ hasGrubFolder: false, kernelstub: "null" }, [{ loader: "kernelstub", remove: [], add: [OPTION] }]],
  ];
  for (const [files, steps] of table) {
    const loaders: BootFiles = { boot: NO_ENTRIES, ...files };
    const found = planStaging(loaders, WANT);
    if (steps === undefined) t.equal(found, undefined);
    else t.match(found, steps as object, JSON.stringify(loaders));
    t.equal(found?.length, (steps as unknown[] | undefined)?.length);
    // What is written stages it: nothing is left to do afterwards.
    const written = found?.find((step) => "write" in step);
    if (written === undefined || !("write" in written)) continue;
    const key = { [GRUB]: "grub", [DROP_IN]: "dropIn", [CMDLINE]: "cmdline" }[written.file]!;
    t.same(planStaging({ ...loaders, [key]: written.write }, WANT), []);
  }
});

const GRUB_FILE = join(t.testdir({}), "grub");

/** The kernel's command line that GRUB's scripts make of this file, as 10_linux of Debian, Fedora and Arch builds it. */
function makeCommandLine(text: string): string {
  writeFileSync(GRUB_FILE, encodeBytes(text));
  const script = '. "$0" 2>/dev/null; printf %s "root=x ro $GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT"';
  return decodeBytes(spawnSync("sh", ["-c", script, GRUB_FILE], { env: { PATH: "/usr/bin:/bin" } }).stdout);
}

t.test("whatever /etc/default/grub does, the shell gives the kernel our value last", async (t) => {
  const mask = "amdgpu.ppfeaturemask=0xffffffff";
  for (const text of [
    `X=quiet\nGRUB_CMDLINE_LINUX_DEFAULT="splash \${X} ${mask} nosplash"\n`,
    `GRUB_CMDLINE_LINUX_DEFAULT="$(echo ${mask})"\nGRUB_CMDLINE_LINUX=\`echo ${mask}\`\n`,
    `GRUB_CMDLINE_LINUX_DEFAULT="quiet"\r\nGRUB_CMDLINE_LINUX="${mask}"\r\n`,
    `if [ -d / ]; then GRUB_CMDLINE_LINUX_DEFAULT="${mask}"; else GRUB_CMDLINE_LINUX_DEFAULT=; fi`,
    `case x in x) GRUB_CMDLINE_LINUX_DEFAULT="${mask}";; *) ;; esac\n`,
    `GRUB_CMDLINE_LINUX_DEFAULT="a"\nGRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT ${mask}"\n`,
    `GRUB_CMDLINE_LINUX_DEFAULT='${mask} "'\n# don't\n`,
    `GRUB_CMDLINE_LINUX_DEFAULT="quiet \\\n  ${mask}"\nA=\\\n`,
    "# fr\udcfcher\nGRUB_DISTRIBUTOR='\udce4'",
    `${appendToGrubDefault("", [["amdgpu.ppfeaturemask", "1"]])}GRUB_CMDLINE_LINUX_DEFAULT=${mask}\n`,
  ]) {
    const written = appendToGrubDefault(text, WANT)!;
    const line = makeCommandLine(written);
    t.ok(hasOption(line, ...WANT[0]!), `${JSON.stringify(text)}: ${line}`);
    t.equal(appendToGrubDefault(written, WANT), written);
    const words = (from: string) => makeCommandLine(from).trim().split(/\s+/);
    const lost = words(text).filter((word) => !words(written).includes(word) && word !== "amdgpu.ppfeaturemask=1");
    t.same(lost, [], "nothing else is lost");
  }
});

t.test("other bytes of /etc/default/grub and of the command line are kept, or nothing is written", async (t) => {
  const byte = fc.constantFrom(0, 9, 10, 13, 0x20, 0x22, 0x23, 0x27, 0x5c, 0x61, 0x80, 0xa0, 0xc3, 0xe4, 0xff);
  let edited = 0;
  fc.assert(
    fc.property(fc.oneof(fc.array(byte).map(Buffer.from), fc.uint8Array().map(Buffer.from)), (bytes) => {
      const written = appendToGrubDefault(decodeBytes(bytes), WANT);
      if (written === undefined) return true;
      edited++;
      const gap = bytes.length === 0 || bytes.at(-1) === 10 ? "" : "\n";
      return encodeBytes(written).equals(Buffer.concat([bytes, Buffer.from(gap + BLOCK)]));
    }),
    { numRuns: 500 },
  );
  t.ok(edited > 100, `${edited} of 500 were edited`);
  const before = "quiet f\udcfcr=\udce4 \0x\n";
  const [step] = planStaging({ hasGrubFolder: false, cmdline: before, boot: NO_ENTRIES }, WANT)!;
  t.match(step, { write: before.replace("\n", ` ${OPTION}\n`) });
});

const file = (text: string): FileState => ({ kind: "file", content: Buffer.from(text).toString("base64") });
const FOLDER: FileState = { kind: "folder" };
const MISSING: FileState = { kind: "missing" };

t.test("the playbook stages parameters and compares the running ones", async (t) => {
  const subject = {
    node: { profile: { kernel: { "amdgpu.ppfeaturemask": "0xffff7fff" } } },
  } as unknown as PlaybookContext;
  const [staged, running] = [...(kernelParams(subject) as Iterable<Resource<unknown[]>>)] as [
    Resource<unknown[]>,
    Resource<FileState[]>,
  ];
  t.same(
    [...(kernelParams({ node: { profile: { kernel: {} } } } as unknown as PlaybookContext) as Iterable<Resource>)],
    [],
  );
  const reported = (found: Difference[]) => found.map(({ what, have, want }) => `${what}: ${have} -> ${want}`);
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
  for (const [parameter, module, expected] of table) t.same(reported(running.diff([parameter, module])), expected);
  t.ok(running.reboot);
  t.same(running.after, [staged.name]);
  const boot = { exit: 0, stdout: "", stderr: "" };
  const none: unknown[] = [MISSING, MISSING, MISSING, MISSING, MISSING, MISSING, MISSING, MISSING, boot];
  t.same(
    staged.diff([file("4294934527"), FOLDER, ...none]),
    [],
    "nothing is asked of the loader while the kernel is right",
  );
  t.same(reported(staged.diff([file("1"), FOLDER, ...none])), [`boot loader: no supported one found -> ${OPTION}`]);
  const folder = none.with(1, FOLDER);
  t.match(staged.diff([file("1"), FOLDER, ...folder]), [{ what: DROP_IN, diff: /\+GRUB_CMDLINE_LINUX_DEFAULT=/ }]);
  t.same(staged.diff([file("1"), FOLDER, ...folder.with(2, file(DROPPED!))]), []);
});

t.test("the answer of the boot loader's programs is parsed", async (t) => {
  t.same(parseBootEntries("folder=ignored\ngrubby=yes\ngrub=entries\nentry=ro a=b\nentry=\nother\n"), {
    entries: ["ro a=b", ""],
    hasGrubEntries: true,
    hasGrubby: true,
    ignoresGrubFolder: true,
  });
  t.same(parseBootEntries(""), NO_ENTRIES);
});
