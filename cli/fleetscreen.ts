import { setTimeout as sleep } from "node:timers/promises";
import { LiveScreen } from "../report/livescreen.js";
import { type FleetView, renderFleet } from "../report/topview.js";
import { createPaint } from "./livedisplay.js";
import type { CommonOptions } from "./options.js";

const REDRAW_MS = 1000;
const ENTER_SCREEN = "\u001b[?1049h\u001b[H";
const LEAVE_SCREEN = "\u001b[?1049l";
/** What terminals send for keys. */
const QUIT_KEYS = new Set(["q", "Q", "\u0003", "\u0004", "\u001b"]);
const DOWN_KEYS = new Set(["j", "\u001b[B", " ", "\u001b[6~"]);
const UP_KEYS = new Set(["k", "\u001b[A", "\u001b[5~"]);
const PAGE_KEYS = new Set([" ", "\u001b[5~", "\u001b[6~"]);

/** Shows the nodes on the whole terminal until a key ends it, or the signal aborts. What was on the terminal before comes back. */
export async function showFleet(read: () => FleetView, options: CommonOptions, signal: AbortSignal): Promise<void> {
  const { stdin, stdout } = process;
  const quit = new AbortController();
  const paint = createPaint(options.color !== false && stdout.hasColors());
  let view = read();
  let top = 0;
  const draw = () => {
    const rows = Math.max(2, screen.rows - 1);
    const [head = "", ...rest] = renderFleet(view, { columns: screen.columns, rows, nowMs: Date.now(), paint });
    top = Math.max(0, Math.min(top, rest.length - rows + 2));
    const shown = rest.slice(top, top + rows - 2);
    const below = rest.length - top - shown.length;
    const keys = below > 0 || top > 0 ? `q quits; arrows scroll (${below} more lines)` : "q quits";
    screen.show([head, ...shown, paint(keys.slice(0, screen.columns - 1), "quiet")]);
  };
  const press = (bytes: Buffer) => {
    const key = bytes.toString();
    const step = PAGE_KEYS.has(key) ? Math.max(1, screen.rows - 4) : 1;
    if (QUIT_KEYS.has(key)) return quit.abort();
    if (DOWN_KEYS.has(key)) top += step;
    else if (UP_KEYS.has(key)) top -= step;
    else return;
    draw();
  };
  stdout.write(ENTER_SCREEN);
  const screen = new LiveScreen(stdout, draw);
  stdin.setRawMode(true).on("data", press).resume();
  try {
    const ended = AbortSignal.any([signal, quit.signal]);
    while (!ended.aborted) {
      view = read();
      draw();
      await sleep(REDRAW_MS, undefined, { signal: ended }).catch(() => {});
    }
  } finally {
    stdin.setRawMode(false).off("data", press).pause();
    screen.end();
    stdout.write(LEAVE_SCREEN);
  }
}
