import t from "tap";
import type { Manifest } from "../../fleet/inventory.js";
import type {
  ChangeContext,
  Difference,
  FilePlacement,
  FileState,
  PlaybookContext,
} from "../../playbooks/engine/resource.js";
import manifestSync from "../../playbooks/manifest-sync.js";

const SCRIPT = "~/run.sh";
const JSON_FILE = "~/full.json";
const MANIFEST: Manifest = {
  name: "chunk_size",
  value: 1000,
  text: "1000",
  in: [
    { file: SCRIPT, assignment: "CHUNK_SIZE" },
    { file: JSON_FILE, pointer: "/default_params/chunk_size" },
  ],
};

const file = (text: string | Buffer): FileState => ({ kind: "file", content: Buffer.from(text).toString("base64") });
const script = (value: string) => file(`#!/bin/bash\nCHUNK_SIZE=${value}  # manual runs\n`);
const json = (value: string) => file(`{"default_params": {"chunk_size": ${value}}}\n`);

function resource(manifest = MANIFEST) {
  const [one] = manifestSync({ inventory: { manifests: [manifest] } } as PlaybookContext) as Iterable<never>;
  return one as unknown as {
    diff(files: FileState[]): Difference[];
    change(files: FileState[], hands: ChangeContext): Promise<void>;
  };
}

/** What `change` writes, and what it then complains of. */
async function change(files: FileState[], manifest = MANIFEST) {
  const written: Record<string, string> = {};
  const place = async ({ path, content }: FilePlacement) => {
    written[path] = Buffer.from(content as Uint8Array).toString();
  };
  const error = await resource(manifest)
    .change(files, { place } as ChangeContext)
    .then(
      () => undefined,
      (thrown: Error) => thrown.message,
    );
  return { written, error };
}

const reported = (found: Difference[]) => found.map(({ what, have, want }) => `${what}: ${have} -> ${want}`);

t.test("want + have -> differences", async (t) => {
  const table: [FileState, FileState, string[]][] = [
    [script("1000"), json("1000"), []],
    [
      script("500"),
      json("500"),
      ["~/run.sh:2 CHUNK_SIZE: 500 -> 1000", "~/full.json:1 /default_params/chunk_size: 500 -> 1000"],
    ],
    [
      script("500"),
      json("1000"),
      [
        "chunk_size disagrees with itself: 500 in ~/run.sh:2 CHUNK_SIZE | 1000 in ~/full.json:1 /default_params/chunk_size (wins at run time) -> 1000 everywhere",
        "~/run.sh:2 CHUNK_SIZE: 500 -> 1000",
      ],
    ],
    [{ kind: "missing" }, json("1000"), ["~/run.sh: is missing -> CHUNK_SIZE = 1000"]],
    [{ kind: "folder" }, json("1000"), ["~/run.sh: is a folder, not a file -> CHUNK_SIZE = 1000"]],
    [
      { kind: "link", target: "/etc/passwd" },
      json("1000"),
      ["~/run.sh: is a link to /etc/passwd; name that file instead -> CHUNK_SIZE = 1000"],
    ],
    [
      { kind: "missing", error: "Permission denied" },
      json("1000"),
      ["~/run.sh: cannot be read: Permission denied -> CHUNK_SIZE = 1000"],
    ],
    [{ kind: "file", size: 2 ** 30 }, json("1000"), ["~/run.sh: is larger than 1.0 MiB -> CHUNK_SIZE = 1000"]],
    [
      file(Buffer.from([0xff, 0xfe])),
      json("1000"),
      ["~/run.sh: is UTF-16 text; save it as UTF-8 -> CHUNK_SIZE = 1000"],
    ],
    [
      script("1000"),
      file("{"),
      ["~/full.json: is not JSON: CloseBraceExpected in line 1 -> /default_params/chunk_size = 1000"],
    ],
  ];
  for (const [one, other, expected] of table) t.same(reported(resource().diff([one, other])), expected);
});

t.test("the diff shows what will be written, once per file", async (t) => {
  const [, difference] = resource().diff([script("500"), json("1000")]);
  t.match(difference?.diff, "-CHUNK_SIZE=500  # manual runs\n+CHUNK_SIZE=1000  # manual runs\n");
});

t.test("only values that differ are written, and comments are kept", async (t) => {
  t.same(await change([script("500"), json("1000")]), {
    written: { [SCRIPT]: "#!/bin/bash\nCHUNK_SIZE=1000  # manual runs\n" },
    error: undefined,
  });
  t.same(await change([script("1000"), json("1000")]), { written: {}, error: undefined });
  const twice = { ...MANIFEST, in: [MANIFEST.in[0]!, { file: SCRIPT, regex: "# (.*)$" }] };
  t.same((await change([script("500"), script("500")], twice)).written, {
    [SCRIPT]: "#!/bin/bash\nCHUNK_SIZE=1000  # 1000\n",
  });
});

t.test("a file that cannot be written is reported, and the others are still changed", async (t) => {
  for (const broken of [
    file(Buffer.from([0xfe, 0xff])),
    { kind: "missing" } as const,
    { kind: "file", size: 2 ** 30 } as const,
  ]) {
    const { written, error } = await change([broken, json("500")]);
    t.same(Object.keys(written), [JSON_FILE]);
    t.match(error, /^~\/run\.sh /);
  }
  const { written, error } = await change([script("500"), file("{}")]);
  t.same(Object.keys(written), [SCRIPT]);
  t.equal(error, "~/full.json (/default_params/chunk_size): has nothing at /default_params/chunk_size");
});
