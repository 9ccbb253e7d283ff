import type { Problem } from "../../schemas/errors.js";
import type { Source } from "../../schemas/source.js";

const SET_BY_MUSTER = "muster sets it itself";
const NO_BATCH_JOB = "sbatch would submit nothing, or not say what";
const ONE_NODE = "a pilot is one task on one node";
const MANY_JOBS = "a pilot is one job: the others would run on after it";
const GPUS = 'write gres: "gpu:NUMBER"';
const PILOTS = "say in `pilots` how many there may be";

/** Options of sbatch with which a pilot cannot work, and the key of the inventory to use in their place. */
const REFUSED: Readonly<Record<string, readonly [reason: string, hint: string]>> = {
  account: [SET_BY_MUSTER, "use the key account"],
  array: [MANY_JOBS, PILOTS],
  chdir: [SET_BY_MUSTER, "use the key workdir, or cd in setup"],
  clusters: ["muster looks for its jobs in the cluster of the login node", "make an entry for each cluster"],
  "cpus-per-gpu": [SET_BY_MUSTER, "use the key cpus"],
  "cpus-per-task": [SET_BY_MUSTER, "use the key cpus"],
  error: [SET_BY_MUSTER, "remove it; muster logs shows what chunks print"],
  gpus: ["muster would not know of these GPUs", GPUS],
  "gpus-per-node": ["muster would not know of these GPUs", GPUS],
  "gpus-per-socket": ["muster would not know of these GPUs", GPUS],
  "gpus-per-task": ["muster would not know of these GPUs", GPUS],
  gres: [SET_BY_MUSTER, "use the key gres"],
  help: [NO_BATCH_JOB, "remove it"],
  hold: ["the pilot would never start", "remove it"],
  input: [SET_BY_MUSTER, "remove it"],
  "job-name": [SET_BY_MUSTER, "remove it; the name holds the id of the run"],
  mem: [SET_BY_MUSTER, "use the key memory"],
  nodes: [ONE_NODE, PILOTS],
  ntasks: [ONE_NODE, "use the key cpus, or pilots"],
  "ntasks-per-core": [ONE_NODE, "use the key cpus"],
  "ntasks-per-gpu": [ONE_NODE, "use the key cpus"],
  "ntasks-per-node": [ONE_NODE, "use the key cpus"],
  "ntasks-per-socket": [ONE_NODE, "use the key cpus"],
  output: [SET_BY_MUSTER, "remove it; muster logs shows what chunks print"],
  parsable: [SET_BY_MUSTER, "remove it"],
  partition: [SET_BY_MUSTER, "use the key partition"],
  quiet: [NO_BATCH_JOB, "remove it"],
  requeue: ["muster gives the chunks of a pilot that ends to others", "remove it"],
  signal: [SET_BY_MUSTER, "remove it; see lease and time for the end of a pilot"],
  "tasks-per-node": [ONE_NODE, "use the key cpus"],
  "test-only": [NO_BATCH_JOB, "remove it; muster doctor asks this"],
  time: [SET_BY_MUSTER, "use the key time"],
  usage: [NO_BATCH_JOB, "remove it"],
  version: [NO_BATCH_JOB, "remove it"],
  wait: ["sbatch would wait for the end of the pilot", "remove it"],
  workdir: [SET_BY_MUSTER, "use the key workdir of the entry, or cd in setup"],
  wrap: ["the program of a pilot is muster's agent", "write it into setup"],
};

/** Words that say what muster says, too. */
const HARMLESS = new Set(["--nodes=1", "--ntasks=1", "--parsable"]);

/** Returns a problem for each word of `sbatch` in the entry `name` with which a pilot cannot work. */
export function findRefusedWords(source: Source, name: string, words: readonly string[]): Problem[] {
  return words.flatMap((word, index) => {
    const option = HARMLESS.has(word) ? undefined : findRefusedOption(word);
    if (option === undefined) return [];
    const [reason, hint] = REFUSED[option]!;
    const message = `nodes.${name}.sbatch[${index}] must not have --${option}: ${reason}`;
    return [{ ...source.positionOf(["nodes", name, "sbatch", index]), message, hint }];
  });
}

/** sbatch takes the beginning of an option for the option, if there is no other that begins so. */
function findRefusedOption(word: string): string | undefined {
  const given = /^--([^=]*)/.exec(word)?.[1] ?? "";
  if (Object.hasOwn(REFUSED, given)) return given;
  return given === "" ? undefined : Object.keys(REFUSED).find((option) => option.startsWith(given));
}
