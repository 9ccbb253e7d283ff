import { styleText } from "node:util";
import type { PipelineObserver } from "../executor/pipeline/stepcontext.js";
import { hasResults, isUnfinished, type StepState } from "../executor/pipeline/stepstate.js";
import { formatStep } from "../report/pipelinetext.js";
import type { PipelineProgress } from "../report/pipelineview.js";
import type { TtyProgress } from "../report/progresstty.js";
import type { Paint, Tone } from "../report/styledtext.js";
import type { CommonOptions } from "./options.js";

const STYLES: Record<Exclude<Tone, "plain">, Parameters<typeof styleText>[0]> = {
  good: "green",
  bad: "red",
  quiet: "dim",
  strong: "bold",
};

/** Returns a live view on stderr; undefined where that is no terminal, or where lines are not to be redrawn there. */
export async function createLiveDisplay(options: CommonOptions): Promise<TtyProgress | undefined> {
  const { stderr } = process;
  if (options.quiet || options.color === false || !stderr.isTTY || process.env.TERM === "dumb") return undefined;
  const { TtyProgress } = await import("../report/progresstty.js");
  return new TtyProgress(stderr, createPaint(stderr.hasColors()));
}

/** Returns an observer that shows a pipeline and the jobs of its steps in a live view. */
export function createPipelineDisplay(display: TtyProgress, name: string): PipelineObserver {
  const running = new Map<string, number>();
  const sinceMs = Date.now();
  return {
    begin: (path, states) => {
      display.print(`run directory: ${path}`);
      display.showPipeline(() => readPipelineProgress(name, sinceMs, states, running));
    },
    step: (step) => {
      if (step.state === "running") running.set(step.step, Date.now());
      else running.delete(step.step);
      display.print(formatStep(step), toneOf(step.state));
    },
    job: (step) => display.createObserver(step),
  };
}

function readPipelineProgress(
  name: string,
  sinceMs: number,
  states: ReadonlyMap<string, StepState>,
  running: ReadonlyMap<string, number>,
): PipelineProgress {
  // Repetitions of a step are named STEP/FOLDER, and are shown instead of it.
  const steps = [...states].filter(([step, state]) => !step.includes("/") && state !== "left out");
  const count = (is: (state: StepState) => boolean) => steps.filter(([, state]) => is(state)).length;
  const order = [...states.keys()];
  const rank = (step: string) => order.indexOf(step.split("/")[0]!);
  const names = [...running.keys()].sort((a, b) => rank(a) - rank(b));
  const shown = names.filter((step) => !names.some((other) => other.startsWith(`${step}/`)));
  return {
    name,
    sinceMs,
    total: steps.length,
    done: count(hasResults),
    failed: count((state) => !hasResults(state) && !isUnfinished(state)),
    running: shown.map((step) => ({ name: step, sinceMs: running.get(step)! })),
  };
}

function toneOf(state: StepState): Tone {
  if (state === "running") return "plain";
  return hasResults(state) ? "good" : "bad";
}

/** NO_COLOR and terminals without colours leave texts as they are. */
export function createPaint(hasColours: boolean): Paint {
  return (text, tone) =>
    hasColours && tone !== "plain" ? styleText(STYLES[tone], text, { validateStream: false }) : text;
}
