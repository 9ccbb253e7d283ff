import type { ExcludedNode } from "../executor/run/record/runsummary.js";
import type { RunView } from "../executor/run/runobserver.js";
import type { Failure } from "../executor/schedule/events.js";
import { toPrintableText } from "./format.js";
import { LiveScreen, type ScreenStream } from "./livescreen.js";
import { renderRun, type ViewFrame } from "./liveview.js";
import { type PipelineProgress, renderPipeline } from "./pipelineview.js";
import { PlainProgress } from "./progressplain.js";
import type { Paint, Tone } from "./styledtext.js";
import type { Writers } from "./writers.js";

const REDRAW_INTERVAL_MS = 500;
/** The line below the view, where the cursor is. */
const CURSOR_ROWS = 1;

/** Shows on a terminal what runs, redrawn in place below everything else that is printed. */
export class TtyProgress {
  private readonly screen: LiveScreen;
  private readonly timer: NodeJS.Timeout;
  /** By the step whose job it is; "" = there is no pipeline. */
  private readonly runs = new Map<string, RunView>();
  private pipeline: (() => PipelineProgress) | undefined;

  /** Draws on `stream`. `paint` returns a text in the colour of its tone. */
  constructor(
    stream: ScreenStream,
    private readonly paint: Paint,
  ) {
    this.screen = new LiveScreen(stream, () => this.redraw());
    this.timer = setInterval(() => this.redraw(), REDRAW_INTERVAL_MS);
    this.timer.unref();
  }

  /** Prints lines above the view. */
  print(text: string, tone: Tone = "plain"): void {
    const lines = toPrintableText(text.split("\n"));
    this.screen.print(tone === "plain" ? lines : this.paint(lines, tone));
  }

  /** Returns writers that print errors and progress above the view. */
  writers({ out }: Writers): Writers {
    return { out, err: (text) => this.print(text) };
  }

  /** Shows a pipeline instead of a single job. */
  showPipeline(read: () => PipelineProgress): void {
    this.pipeline = read;
  }

  /** Returns the observer of a run. `step`: the step of the pipeline whose job it is. */
  createObserver(step = ""): PlainProgress {
    return new ObservedRun(this, step);
  }

  /** Begins to show a run; undefined: it has ended. */
  setRun(step: string, view: RunView | undefined): void {
    if (view === undefined) this.runs.delete(step);
    else this.runs.set(step, view);
    this.redraw();
  }

  /** Removes the view. */
  end(): void {
    clearInterval(this.timer);
    this.screen.end();
  }

  private redraw(): void {
    const { columns, rows } = this.screen;
    this.screen.show(
      this.render({ columns, rows: Math.max(1, rows - CURSOR_ROWS), nowMs: Date.now(), paint: this.paint }),
    );
  }

  private render(frame: ViewFrame): string[] {
    if (this.pipeline !== undefined) {
      const pipeline = this.pipeline();
      const running = pipeline.running.map((step) => ({
        ...step,
        live: this.runs.get(step.name)?.current ?? step.live,
      }));
      return renderPipeline({ ...pipeline, running }, frame);
    }
    return [...this.runs.values()].flatMap(({ current }) => renderRun(current, current.name, frame));
  }
}

/** Prints the events of a run above the view, and shows the run in it. */
class ObservedRun extends PlainProgress {
  private readonly prefix: string;
  private tone: Tone = "plain";

  constructor(
    private readonly display: TtyProgress,
    private readonly step: string,
  ) {
    super({ out: () => {}, err: () => {} });
    this.prefix = step === "" ? "" : `[${step}] `;
  }

  override runStarted(view: RunView, path: string, leftOut: ExcludedNode[]): void {
    super.runStarted(view, path, leftOut);
    this.display.setRun(this.step, view);
  }

  override attemptFailed(failure: Failure): void {
    this.printIn("bad", () => super.attemptFailed(failure));
  }

  override chunkFailed(failure: Failure): void {
    this.printIn("bad", () => super.chunkFailed(failure));
  }

  override end(): void {
    this.display.setRun(this.step, undefined);
    if (this.step === "") this.display.end();
  }

  /** The view is redrawn instead. */
  protected override startPrinting(): void {}

  private printIn(tone: Tone, print: () => void): void {
    this.tone = tone;
    print();
    this.tone = "plain";
  }

  protected override print(...lines: string[]): void {
    this.display.print(`${this.prefix}${toPrintableText(lines)}`, this.tone);
  }
}
