import { expectGpus } from "../fleet/gpus/gpugroups.js";
import type { CommandState, PlaybookContext, Resource } from "./engine/resource.js";
import { loadedModuleResource } from "./kernel/loadedmodule.js";
import { driverPackagesResource } from "./nvidia/driverpackages.js";
import { diffNvidia, NVIDIA_SCRIPT, NVIDIA_TIMEOUT_SECONDS } from "./nvidia/nvidiastate.js";

const PACKAGES = "packages of NVIDIA";

/**
 * Keeps a branch of NVIDIA's driver (`nvidia` of the inventory), or what is installed, on nodes with NVIDIA GPUs, and checks that nvidia-smi
 * sees every card. Says that a node needs a reboot where the loaded driver is not the installed one.
 */
export default function* nvidia({ node }: PlaybookContext): Generator<Resource> {
  const cards = expectGpus(node).find(({ vendor }) => vendor === "nvidia");
  if (cards === undefined) return;
  const want = node.state.nvidia;
  const { packages, driver, hold } = want;
  const after = packages.length > 0 ? [PACKAGES] : [];
  if (packages.length > 0) yield driverPackagesResource({ name: PACKAGES, packages, driver, hold }) as Resource;
  yield loadedModuleResource("nvidia", after) as Resource;
  yield {
    name: "NVIDIA driver",
    probe: { ask: "command", argv: ["/bin/sh", "-c", NVIDIA_SCRIPT], timeout: NVIDIA_TIMEOUT_SECONDS },
    diff: (have) => diffNvidia(want, cards.count, have),
    after,
  } as Resource<CommandState> as Resource;
}
