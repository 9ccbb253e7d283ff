import { expectGpus } from "../fleet/gpus/gpugroups.js";
import type { WantedRocm } from "../fleet/nodestate.js";
import { fileResource } from "./engine/fileresource.js";
import type { CommandState, PlaybookContext, Resource } from "./engine/resource.js";
import { loadedModuleResource } from "./kernel/loadedmodule.js";
import { packageSourceResource, SOURCE_PREFIX } from "./packages/packagesource.js";
import { releasePackagesResource } from "./packages/releasepackages.js";
import { deviceGroupsResource } from "./rocm/joingroups.js";
import { diffRocm, FRESH_LOGIN_SCRIPT, ROCM_SCRIPT, ROCM_TIMEOUT_SECONDS } from "./rocm/rocmstate.js";

const DEVICE_GROUPS = "groups of AMD's devices";
const DRIVER_PACKAGE = "amdgpu-dkms";
const PREFERENCE = "preference of AMD's packages";

/**
 * Keeps a release of ROCm from AMD's repository (`rocm` of the inventory), or what is installed, on nodes with AMD GPUs, and checks that
 * rocminfo sees every card: user space, driver and kernel fit each other then.
 */
export default function* rocm({ node }: PlaybookContext): Generator<Resource> {
  const cards = expectGpus(node).find(({ vendor }) => vendor === "amd");
  if (cards === undefined) return;
  const want = node.state.rocm;
  const parts = listParts(want);
  yield* packageResources(want, parts);
  const after = parts.map(namePackages);
  yield { ...deviceGroupsResource(DEVICE_GROUPS), after } as Resource;
  yield loadedModuleResource("amdgpu", after) as Resource;
  yield {
    name: "ROCm",
    probe: {
      ask: "command",
      argv: ["/bin/sh", "-c", FRESH_LOGIN_SCRIPT, "look", ROCM_SCRIPT],
      timeout: ROCM_TIMEOUT_SECONDS,
    },
    diff: (have) => diffRocm(want, cards.count, have),
    after: [...after, DEVICE_GROUPS],
  } as Resource<CommandState> as Resource;
}

/** Packages of one of AMD's repositories. */
interface Part {
  name: string;
  packages: readonly string[];
  uri: string;
  /** What users call it. */
  release: string;
}

const namePackages = ({ name }: Part) => `packages of ${name}`;

function listParts({ release, driver, packages, source }: WantedRocm): Part[] {
  if (source === undefined) return [];
  const { repository } = source;
  const uri = (path: string) => `${repository}/${path}`;
  const rocm = { name: "rocm", packages, uri: uri(`rocm/apt/${release}`), release: `ROCm ${release}` };
  const amdgpu = { name: "amdgpu", packages: [DRIVER_PACKAGE], uri: uri(`amdgpu/${driver}/ubuntu`) };
  return [
    ...(release === undefined ? [] : [rocm]),
    ...(driver === undefined ? [] : [{ ...amdgpu, release: `the driver ${driver}` }]),
  ];
}

function* packageResources({ source, hold }: WantedRocm, parts: readonly Part[]): Generator<Resource> {
  if (source === undefined || parts.length === 0) return;
  const { suite, key, fingerprint } = source;
  for (const { name, uri } of parts)
    yield packageSourceResource(
      name,
      { uri, suite, architectures: ["amd64"], key, fingerprint },
      "rocm.key",
    ) as Resource;
  yield preferenceResource();
  for (const part of parts)
    yield releasePackagesResource({
      ...part,
      name: namePackages(part),
      hold,
      after: [SOURCE_PREFIX + part.name, PREFERENCE],
    }) as Resource;
}

/**
 * Distributions have packages of the same names, some with higher versions, so AMD's must come first; a priority above 1000 also lets a release go
 * back. They are told by what AMD's repositories, and mirrors of them, say of their origin. See apt_preferences(5).
 */
function preferenceResource(): Resource {
  const lines = ["Package: *", "Pin: release o=repo.radeon.com", "Pin-Priority: 1001"];
  const header = "# Written by `muster provision rocm`; a change here is undone by the next one.";
  return fileResource({
    name: PREFERENCE,
    path: "/etc/apt/preferences.d/muster-rocm",
    content: `${[header, ...lines].join("\n")}\n`,
    mode: 0o644,
    become: true,
  }) as Resource;
}
