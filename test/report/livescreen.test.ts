import t from "tap";
import { LiveScreen } from "../../report/livescreen.js";
import { TerminalModel } from "../cli/terminalmodel.js";

/** A terminal of 20 columns, which has what is shown on it. */
function createScreen() {
  const model = new TerminalModel(20, 10);
  const stream = { columns: 20, rows: 10, write: (text: string) => model.write(text), on: () => {}, off: () => {} };
  // A terminal moves to the first column with a line break.
  const screen = new LiveScreen({ ...stream, write: (text) => model.write(text.replaceAll("\n", "\r\n")) }, () => {});
  return { model, screen };
}

const FRAMES: [what: string, lines: string[]][] = [
  ["the first", ["head", "a 1", "last"]],
  ["more lines in the middle", ["head", "a 1", "b 1", "c 1", "last"]],
  ["one changed", ["head", "a 1", "b 2", "c 1", "last"]],
  ["fewer", ["head", "c 1", "last"]],
  ["fewer at the end", ["head", "c 1"]],
  ["none", []],
  ["more lines at the beginning", ["new", "head", "last"]],
];

t.test("the screen has the lines of the last frame, whatever was there before", async (t) => {
  const { model, screen } = createScreen();
  for (const [what, lines] of FRAMES) {
    screen.show(lines);
    t.same(model.screen, lines, what);
  }
  screen.print("above");
  t.same(model.screen, ["above", "new", "head", "last"]);
  screen.end();
  t.same(model.screen, ["above"]);
});
