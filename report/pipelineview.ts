import type { LiveRun } from "../executor/run/record/liverun.js";
import { formatCount, pluralize, shortenMiddle } from "./format.js";
import { formatSeconds } from "./livetext.js";
import { renderRun, type ViewFrame } from "./liveview.js";
import { joinParts, paintLine, type StyledPart } from "./styledtext.js";

const MAX_NAME_COLUMNS = 30;
/** A step needs so many lines to show more than its totals. */
const MIN_STEP_ROWS = 3;

/** A step that runs. `live`: of its job, where it has one that has begun. */
export interface RunningStep {
  name: string;
  sinceMs: number;
  live?: LiveRun;
}

/** What the view of a pipeline shows. */
export interface PipelineProgress {
  name: string;
  sinceMs: number;
  total: number;
  done: number;
  failed: number;
  running: RunningStep[];
}

/** Returns the live view of a pipeline: its totals, and the lines of each running step, as many as there are rows. */
export function renderPipeline(pipeline: PipelineProgress, frame: ViewFrame): string[] {
  const { running } = pipeline;
  const head = renderHead(pipeline, frame);
  const room = Math.max(0, frame.rows - 1);
  const shown = running.slice(0, running.length <= room ? room : Math.max(0, room - 1));
  const more = running.length - shown.length;
  let left = room - (more > 0 ? 1 : 0);
  const lines = shown.flatMap((step, index) => {
    const others = shown.length - index - 1;
    const rows = Math.max(1, Math.min(left - others, Math.max(MIN_STEP_ROWS, Math.floor(left / (others + 1)))));
    const own = renderStep(step, { ...frame, rows });
    left -= own.length;
    return own;
  });
  if (more > 0 && room > 0)
    lines.push(paintLine([[`and ${pluralize(more, "more running step")}`, "quiet"]], frame.columns - 1, frame.paint));
  return [head, ...lines];
}

function renderHead({ name, sinceMs, total, done, failed, running }: PipelineProgress, frame: ViewFrame): string {
  const waiting = total - done - failed - running.length;
  const counts: StyledPart[][] = [
    [[`${formatCount(done)} of ${formatCount(total)} steps done`, "good"]],
    running.length === 0 ? [] : [[`${formatCount(running.length)} running`, "plain"]],
    waiting <= 0 ? [] : [[`${formatCount(waiting)} waiting`, "quiet"]],
    failed === 0 ? [] : [[`${formatCount(failed)} failed`, "bad"]],
    [[formatSeconds(Math.max(0, frame.nowMs - sinceMs) / 1000), "plain"]],
  ];
  const title: StyledPart[] = [[shortenMiddle(name, MAX_NAME_COLUMNS), "strong"]];
  return paintLine(joinParts([title, joinParts(counts, ", ")], "  "), frame.columns - 1, frame.paint);
}

function renderStep({ name, sinceMs, live }: RunningStep, frame: ViewFrame): string[] {
  if (live !== undefined) return renderRun(live, name, frame);
  const text = `${shortenMiddle(name, MAX_NAME_COLUMNS)}: running for ${formatSeconds(Math.max(0, frame.nowMs - sinceMs) / 1000)}`;
  return [paintLine([[text, "plain"]], frame.columns - 1, frame.paint)];
}
