import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { loadInventory } from "../../fleet/inventory.js";

const folder = mkdtempSync(join(tmpdir(), "muster-test-"));
t.teardown(() => rmSync(folder, { recursive: true }));

function load(text: string) {
  const file = join(folder, "inventory.yaml");
  writeFileSync(file, text);
  return loadInventory(file).nodes[0]!.state;
}

t.test("what a node says of its drivers is merged key by key, and releases are as they are written", async (t) => {
  const { rocm, nvidia } = load(`defaults:
  rocm: {suite: noble, key: keys/rocm.asc, hold: false}
profiles:
  rx6600: {vendor: amd, rocm: {release: 6.4, packages: [rocm-hip-runtime, rocminfo]}}
nodes:
  rig: {host: 127.0.0.2, profile: rx6600, gpus: 8, rocm: {driver: 6.10, repository: "https://mirror.example.org/amd/"}, nvidia: {driver: 550}}
`);
  t.same(rocm, {
    release: "6.4",
    packages: ["rocm-hip-runtime", "rocminfo"],
    driver: "6.10",
    source: {
      repository: "https://mirror.example.org/amd",
      suite: "noble",
      key: join(folder, "keys/rocm.asc"),
      fingerprint: "CA8BB4727A47B4D09B4EE8969386B48A1A693C5C",
    },
    hold: false,
  });
  t.match(nvidia, { driver: "550", packages: ["nvidia-driver-550"], hold: true });
});

t.test("a node that says nothing keeps what it has", async (t) => {
  const { rocm, nvidia } = load("nodes: {rig: {host: 127.0.0.2}}\n");
  t.equal(rocm.source, undefined);
  t.same(nvidia.packages, []);
});

t.test("a release needs the suite and the key of its repository", async (t) => {
  t.throws(
    () => load("defaults: {rocm: {suite: noble}}\nnodes: {rig: {host: 127.0.0.2, rocm: {release: 6.4.3}}}\n"),
    /inventory\.yaml:2:\d+: nodes\.rig\.rocm\.release: packages of AMD need a suite and a key of its repository\n +add key: /,
  );
  t.throws(
    () => load("nodes: {rig: {host: 127.0.0.2, rocm: {driver: 30.10}}}\n"),
    /nodes\.rig\.rocm\.driver: .*\n +add suite: jammy and key: /,
  );
  t.throws(
    () => load("nodes: {rig: {host: 127.0.0.2, rocm: {release: newest}}}\n"),
    /must be a release, e\.g\. 6\.4\.3/,
  );
  t.throws(
    () => load("nodes: {rig: {host: 127.0.0.2, nvidia: {driver: 550.54}}}\n"),
    /nodes\.rig\.nvidia\.driver must be .*550\.54/,
  );
});
