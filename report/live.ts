import { createLogUpdate } from "log-update";
import type { View } from "../executor/run/observer.js";
import { progressLines } from "./progress.js";
import { PlainProgress } from "./run.js";

/** Milliseconds between two drawings. */
const REDRAW = 200;

/** Tells of a run with a line a node that is redrawn in place: for terminals. */
export class LiveProgress extends PlainProgress {
  protected override readonly interval = REDRAW;
  private readonly draw = createLogUpdate(process.stderr, { showCursor: true });

  override end(): void {
    clearInterval(this.timer);
    this.draw.clear();
    this.draw.done();
  }

  protected override show(view: View): void {
    this.draw(progressLines(view, process.stderr.columns || 80).join("\n"));
  }

  protected override say(...lines: string[]): void {
    this.draw.clear();
    super.say(...lines);
  }
}
