import { resolve } from "node:path";
import { addListener } from "../executor/run/addlistener.js";
import { formatLockWait } from "../launch/admissioncheck.js";
import { launchJob } from "../launch/launchjob.js";
import { type LaunchSettings, type LoadedJob, loadForLaunch } from "../launch/loadforlaunch.js";
import { RunResults } from "../launch/runresults.js";
import { judgeRun } from "../launch/runverdict.js";
import { createObjectSource } from "../schemas/objectsource.js";
import { readSource } from "../schemas/parsesource.js";
import { explainSystemError } from "../schemas/systemerror.js";
import type { JobFile } from "../schemas/types.js";
import { limitNodes } from "./limitnodes.js";
import { observeProgress } from "./progressevent.js";
import { type FinishedRun, Run } from "./runhandle.js";
import { checkRunSettings, type RunSettings } from "./runsettings.js";

/**
 * Runs a job, or resumes it where its run directory exists. `job`: the path of a job file, or an object as such a file would hold it. Resolves
 * when the run has begun. Rejects with a MusterError where it cannot: InvalidFileError with every problem of the job and its places, UsageError,
 * OTHER_RUN or HELD for a run directory that another job or process has, NO_NODE.
 */
export async function run<Output = unknown>(job: JobFile | string, settings: RunSettings = {}): Promise<Run<Output>> {
  try {
    checkRunSettings(settings);
    const loaded = await loadForLaunch(() => createSource(job, settings), resolveSettings(settings));
    return await start<Output>(limitNodes(loaded, settings.maxNodes), settings);
  } catch (error) {
    throw explainSystemError(error);
  }
}

async function start<Output>(loaded: LoadedJob, settings: RunSettings): Promise<Run<Output>> {
  const { signal, onEvent, out, fresh, adopt, provision } = settings;
  const results = new RunResults(loaded.job);
  let listenerFailure: { readonly error: unknown } | undefined;
  const progress = observeProgress(onEvent, (error) => {
    listenerFailure ??= { error };
  });
  const leaving = new AbortController();
  let begin: (path: string) => void = () => {};
  const began = new Promise<string>((resolve) => {
    begin = resolve;
  });
  const launched = launchJob(loaded, {
    out: out === undefined ? undefined : resolve(out),
    fresh: fresh === true,
    adopt: adopt === true,
    provision: provision === true,
    stopSignal: signal === undefined ? leaving.signal : AbortSignal.any([signal, leaving.signal]),
    observer: addListener(results.observe(progress), { runStarted: (_, path) => begin(path) }),
    onWait: (node) => progress.notice(formatLockWait(node)),
  });
  const finished = launched.then(
    ({ summary, wasComplete }): FinishedRun => {
      results.end(summary.directory);
      if (listenerFailure !== undefined) throw listenerFailure.error;
      return { ...judgeRun(summary), summary, wasComplete };
    },
    (error: unknown) => {
      results.end(undefined);
      throw explainSystemError(error);
    },
  );
  const directory = await Promise.race([began, finished.then(({ summary }) => summary.directory)]);
  return new Run<Output>({ directory, notes: loaded.notes, results, finished, interrupt: () => leaving.abort() });
}

function createSource(job: JobFile | string, { folder = "." }: RunSettings) {
  return typeof job === "string" ? readSource(resolve(job)) : createObjectSource(job, resolve(folder));
}

function resolveSettings({ inventory, nodes, set, results, overwrite, out, fresh }: RunSettings): LaunchSettings {
  return {
    inventory,
    limit: nodes?.join(","),
    set: Object.fromEntries(Object.entries(set ?? {}).map(([key, value]) => [key, `${value}`])),
    results: results === undefined ? undefined : resolve(results),
    overwrite,
    out: out === undefined ? undefined : resolve(out),
    fresh: fresh === true,
  };
}
