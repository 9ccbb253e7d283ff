import { availableParallelism, homedir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { findInventory, loadInventory, parseInventory, selectNodes } from "../../fleet/inventory.js";
import { parseSource } from "../../schemas/parsesource.js";
import { projectRoot } from "../../templates/programfolder.js";
import { catchError, catchProblems, formatProblems } from "../schemas/problems.js";

const load = (text: string) => parseInventory(parseSource("i.yaml", text), "/cluster/i.yaml");

const FULL = `
defaults: {user: michael, workdir: ~/.muster, python: python3, grace: 60s, lease: 40m, env: {A: "1", B: "1"}}
profiles:
  rx6600:
    vendor: amd
    model: RX 6600
    vram: 8GiB
    rate: 5000
    env: {B: "2", C: 0.10, D: "2"}
    kernel: {amdgpu.ppfeaturemask: 0xffff7fff}
    limits: {sample_size: {best: 450, max: 1000}}
nodes:
  zeus:     {connection: local}
  rig:      {host: 192.0.2.1, profile: rx6600, gpus: 8, max_concurrent: 6, tags: [rigs], env: {D: "3"}, rate: 7, limits: {x: {max: 1}}, silence: 20s, grace: 1m30s}
  build:    {host: build.test, port: 2222, user: ci, identity_file: ~/.ssh/key, known_hosts: hosts, slots: 4, host_keys: accept-new}
  alias:
playbooks: [rocm-env]
ramdisk: {/dev/shm/prng/step3: [data/a.json]}
files: {~/x/manifests/: manifests/}
manifests: {chunk_size: {value: 1000, in: [{file: ~/a.sh, assignment: CHUNK_SIZE}, {file: ~/b.json, pointer: /x/y}]}}
routes: {sieve: {script: sieve.py, args: [--n, "{n}", 0.10]}}
`;

t.test("defaults, profile and node are merged, from weak to strong", async (t) => {
  const { nodes, ...rest } = load(FULL);
  t.same(
    nodes.map(({ name }) => name),
    ["zeus", "rig", "build", "alias"],
    "in the order of the file",
  );
  const [zeus, rig, build, alias] = nodes;
  t.match(zeus, {
    connection: "local",
    host: "localhost",
    profile: { name: "none", vendor: "none" },
    silenceSeconds: 40,
    graceSeconds: 60,
    gpuSampleSeconds: 10,
  });
  t.equal(zeus!.pricePerKwh, undefined);
  t.match(rig, {
    host: "192.0.2.1",
    user: "michael",
    workdir: "~/.muster",
    gpus: 8,
    maxConcurrent: 6,
    tags: ["rigs"],
    silenceSeconds: 20,
    graceSeconds: 90,
    leaseSeconds: 2400,
    env: { A: "1", B: "2", C: "0.10", D: "3" },
    profile: {
      name: "rx6600",
      vendor: "amd",
      model: "RX 6600",
      vram: 8 * 2 ** 30,
      rate: 7,
      kernel: { "amdgpu.ppfeaturemask": "0xffff7fff" },
      limits: { sample_size: { best: 450, max: 1000 }, x: { max: 1 } },
    },
  });
  t.match(build, {
    port: 2222,
    user: "ci",
    identityFile: join(homedir(), ".ssh/key"),
    knownHosts: "/cluster/hosts",
    slots: 4,
    hostKeys: "accept-new",
  });
  t.match(alias, { host: "alias", connection: "ssh", hostKeys: undefined }, "~/.ssh/config decides");
  t.match(rest, {
    playbooks: ["rocm-env"],
    ramdisk: { "/dev/shm/prng/step3": ["/cluster/data/a.json"] },
    files: { "~/x/manifests/": "/cluster/manifests/" },
    manifests: [
      { name: "chunk_size", value: 1000, text: "1000", in: [{ assignment: "CHUNK_SIZE" }, { pointer: "/x/y" }] },
    ],
    routes: { sieve: { script: { text: "sieve.py" }, args: [{ text: "--n" }, { text: "{n}" }, { text: "0.10" }] } },
    defaultRoute: "analysis",
    folder: "/cluster",
  });
});

t.test("the real cluster's inventory is sound: 26 GPUs on 4 nodes", async (t) => {
  const { nodes, routes } = loadInventory(join(projectRoot(), "inventory.yaml"));
  t.equal(
    nodes.reduce((sum, { gpus = 0 }) => sum + gpus, 0),
    26,
  );
  t.same(Object.keys(routes), ["sieve", "reverse_sieve", "correlation", "analysis"]);
  t.equal(nodes[1]?.env.HSA_OVERRIDE_GFX_VERSION, "10.3.0");
});

t.test("an invalid inventory is rejected", async (t) => {
  const table: [string, string[]][] = [
    ["nodes:\n  a: {profile: rx660}\nprofiles: {rx6600: {}}\n", ['2:16 nodes.a.profile: there is no profile "rx660"']],
    ["nodes: {a: {host: 'b:2222'}}\n", ['1:19 nodes.a.host: "b:2222" holds a port']],
    ["nodes: {a: {host: 'me@[fe80::1]:22'}}\n", ['1:19 nodes.a.host: "me@[fe80::1]:22" holds a user and a port']],
    ["nodes: [a]\n", ["1:8 nodes must be a mapping, not a list of 1"]],
    ["nodes:\n  a: {gpus: many}\n", ['2:13 nodes.a.gpus must be a whole number or a list, not "many"']],
    [
      "nodes:\n  12: {}\n",
      [
        '2:3 "12" must hold only letters, digits and . _ - (at most 100), begin with a letter or digit, and not be a number',
      ],
    ],
    [
      "nodes: {a: {}}\nmanifests: {m: {value: 1, in: [{file: ~/x}]}}\n",
      ["2:32 manifests.m.in[0] needs exactly one of assignment, pointer, yaml and regex"],
    ],
    [
      "nodes: {a: {}}\nmanifests: {m: {value: 1, in: [{file: ~/x, regex: a, yaml: /b}, {file: ~/y, regex: (a)(b)}]}}\n",
      [
        "2:32 manifests.m.in[0] needs exactly one of assignment, pointer, yaml and regex",
        "2:65 manifests.m.in[1] needs a regex with one group, not 2",
      ],
    ],
    [
      "nodes: {a: {}}\nmanifests: {m: {value: 1, in: [{file: ~/x, regex: (a}]}}\n",
      [
        "2:32 manifests.m.in[0] has an invalid regular expression: Invalid regular expression: /(a|/m: Unterminated group",
      ],
    ],
    [
      "profiles: {x: {limits: {size: {best: 5, max: 4}, other: {best: 4, max: 4}}}}\nnodes: {a: {limits: {n: {best: 2, max: 1.5}}}}\n",
      [
        "1:38 profiles.x.limits.size.best: 5 is above max, which is 4",
        "2:32 nodes.a.limits.n.best: 2 is above max, which is 1.5",
      ],
    ],
    ["nodes: {a: {}}\nfiles: {rel: x}\n", ['2:9 "rel" must be an absolute path on the node, or begin with ~/']],
    [
      "nodes: {a: {pci: [03:00.0], python_modules: [a-b]}}\n",
      [
        '1:19 nodes.a.pci[0] must be a PCI address such as 0000:03:00.0, as `lspci -D` prints it, not "03:00.0"',
        '1:46 nodes.a.python_modules[0] must be the name of a Python module, as `import` has it, not "a-b"',
      ],
    ],
    ["nodes: {a: {env: {A-B: 1}}}\n", ['1:19 "A-B" must be letters, digits and _, not beginning with a digit']],
  ];
  for (const [text, problems] of table) t.same(formatProblems(catchProblems(() => load(text))), problems, text);
});

t.test("--limit selects nodes by name, group and pattern", async (t) => {
  const inventory = load(FULL);
  const table: [string | undefined, string[]][] = [
    [undefined, ["zeus", "rig", "build", "alias"]],
    ["rigs", ["rig"]],
    ["build,zeus", ["zeus", "build"]],
    ["*i*", ["rig", "build", "alias"]],
    ["[ab]*, rigs", ["rig", "build", "alias"]],
    ["z?us", ["zeus"]],
    ["!rigs", ["zeus", "build", "alias"]],
    ["*i*,!build", ["rig", "alias"]],
    ["!rigs, !z*", ["build", "alias"]],
  ];
  for (const [limit, names] of table)
    t.same(
      selectNodes(inventory, limit).map(({ name }) => name),
      names,
      String(limit),
    );
  const wrong: [string, string, string | undefined][] = [
    ["zues", 'no node or tag is called "zues"', 'did you mean "zeus"?'],
    ["zeus,rg", 'no node or tag is called "rg"', 'did you mean "rig"?'],
    ["x*", 'no node matches "x*"', "known here: zeus, rig, rigs, build, alias"],
    ["zeus,", '--limit "zeus," has an empty pattern', "give NAME, TAG or GLOB, separated by commas; !NAME leaves out"],
    ["zeus,!zeus", '--limit "zeus,!zeus" leaves no node', undefined],
    ["!rg", 'no node or tag is called "rg"', 'did you mean "rig"?'],
    ["!", '--limit "!" has an empty pattern', "give NAME, TAG or GLOB, separated by commas; !NAME leaves out"],
  ];
  for (const [limit, message, next] of wrong) {
    t.same(
      catchError(() => selectNodes(inventory, limit)),
      { exit: 64, message, next },
      limit,
    );
  }
});

t.test("the inventory is found, and its origin is reported", async (t) => {
  const folder = t.testdir({
    "inventory.yaml": "nodes: {here: {}}\n",
    "a.yaml": "nodes: {a: {}}\n",
    "b.yaml": "nodes: {b: {}}\n",
    empty: { inner: {} },
  });
  const found = (option: string | undefined, variable: string | undefined, cwd = folder) => {
    const { nodes, origin } = findInventory(option, { MUSTER_INVENTORY: variable }, cwd);
    return [nodes[0]?.name, origin];
  };
  t.same(found("a.yaml", "b.yaml"), ["a", "--inventory"]);
  t.same(found(undefined, "b.yaml"), ["b", "$MUSTER_INVENTORY"]);
  t.same(found(undefined, undefined), ["here", "./inventory.yaml"]);
  t.equal(found(undefined, "", `${folder}/empty`)[1], "embedded");
  t.equal(found("local", undefined)[1], "embedded");
  const { nodes, unusedFile } = findInventory(undefined, {}, `${folder}/empty/inner`);
  t.equal(unusedFile, "../../inventory.yaml");
  t.equal(findInventory("local", {}, `${folder}/empty/inner`).unusedFile, undefined);
  t.match(nodes, [{ connection: "local", profile: { vendor: "none" }, slots: availableParallelism() }]);
});
