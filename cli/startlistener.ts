import type { PipelineObserver } from "../executor/pipeline/stepcontext.js";
import { addListener } from "../executor/run/addlistener.js";
import type { LiveRun } from "../executor/run/record/liverun.js";
import type { RunObserver } from "../executor/run/runobserver.js";

/** Between two looks for pilots in the queue of a cluster, or for its having nothing to do. */
const LOOK_MS = 500;

/** Is notified of the start of a run, of a job or of a pipeline. */
export interface StartListener {
  /** The run holds the lock of its run directory `path`. */
  started(path: string): void;
  /**
   * A node is attached, or is waited for in the queue of a cluster, or no node is wanted before tasks are added; of a pipeline: or a step began
   * that needs no agent. It may be called again.
   */
  attached(): void;
}

/** Returns an observer that notifies `observer`, and `listener` of the start of the run. */
export function listenToRun(observer: RunObserver, listener: StartListener): RunObserver {
  let timer: NodeJS.Timeout | undefined;
  const attached = () => {
    clearInterval(timer);
    listener.attached();
  };
  return addListener(observer, {
    runStarted: (view, path) => {
      listener.started(path);
      timer = setInterval(() => {
        const { current } = view;
        const isAwaitingTasks = hasNothingToDo(current);
        if (isAwaitingTasks) observer.notice("the queue is empty: pilots are submitted once it has tasks");
        if (isAwaitingTasks || current.pilots?.some(({ id }) => id !== undefined)) attached();
      }, LOOK_MS);
      timer.unref();
    },
    nodeChanged: ({ state }) => {
      if (state === "live") attached();
    },
  });
}

/** Whether a run has clusters alone, and no task for which to submit a pilot. */
function hasNothingToDo({ queue, waiting, running, nodes, pilots = [] }: LiveRun): boolean {
  return queue === "open" && waiting.units === "0" && running === 0 && nodes.length + pilots.length === 0;
}

/** Returns an observer that notifies `observer`, and `listener` of the start of the pipeline. */
export function listenToPipeline(observer: PipelineObserver, listener: StartListener): PipelineObserver {
  return {
    begin: (path, states) => {
      observer.begin(path, states);
      listener.started(path);
    },
    step: (step) => {
      observer.step(step);
      if (step.state === "running" && step.kind !== "job") listener.attached();
    },
    job: (step) => {
      const job = observer.job(step);
      const listened = listenToRun(job, { started: () => {}, attached: () => listener.attached() });
      return { ...listened, end: () => job.end() };
    },
  };
}
