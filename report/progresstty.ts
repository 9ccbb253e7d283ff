import { createLogUpdate } from "log-update";
import type { RunView } from "../executor/run/runobserver.js";
import { PlainProgress } from "./progressplain.js";
import { formatProgress } from "./progresstext.js";

const REDRAW_INTERVAL_MS = 200;

/** Shows the progress of a run on a terminal, with a line for each node that is redrawn in place. */
export class TtyProgress extends PlainProgress {
  protected override readonly intervalMs = REDRAW_INTERVAL_MS;
  private readonly draw = createLogUpdate(process.stderr, { showCursor: true });

  override end(): void {
    clearInterval(this.timer);
    this.draw.clear();
    this.draw.done();
  }

  protected override show(view: RunView): void {
    this.draw(formatProgress(view, process.stderr.columns || 80).join("\n"));
  }

  protected override print(...lines: string[]): void {
    this.draw.clear();
    super.print(...lines);
  }
}
