import type { PythonEnv } from "../fleet/pythonenvs.js";
import { envSource } from "../templates/nodeprograms.js";
import type { CommandState, FileState, PlaybookContext, Resource } from "./engine/resource.js";
import { buildEnv } from "./pythonenv/buildenv.js";
import { type EnvRequest, readEnvSources } from "./pythonenv/envrequest.js";
import { diffEnv, noteUnchecked, parseEnvState } from "./pythonenv/envstate.js";

const INSPECT_TIMEOUT_SECONDS = 90;

/**
 * Keeps Python environments on the nodes: `python_envs` of the inventory. A change builds a new environment beside the current one and
 * switches a symbolic link, so that running chunks keep theirs.
 */
export default async function* pythonEnv({ node, inventory }: PlaybookContext): AsyncGenerator<Resource> {
  for (const env of Object.values(inventory.pythonEnvs)) yield (await envResource(env, node.python)) as Resource;
}

async function envResource(env: PythonEnv, nodePython: string): Promise<Resource<[CommandState, FileState]>> {
  const sources = await readEnvSources(env, nodePython);
  const { request } = sources;
  return {
    name: `python env ${env.name}`,
    // The link is for the fingerprint: its target names the content.
    probe: { ask: "all", of: [inspection(request, nodePython), { ask: "file", path: env.at, cap: 0 }] },
    diff: ([answer]) => diffEnv(parseEnvState(answer), request),
    change: (_, context) => buildEnv(sources, context),
    notes: ([answer]) => noteUnchecked(parseEnvState(answer)),
  };
}

function inspection({ at, python, kind, key, wanted, project }: EnvRequest, nodePython: string) {
  const argv = [nodePython, "-c", envSource(), "inspect", JSON.stringify({ at, python, kind, key, wanted, project })];
  return { ask: "command", argv, timeout: INSPECT_TIMEOUT_SECONDS } as const;
}
