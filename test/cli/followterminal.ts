import type { Test } from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { startInTerminal, type TerminalOptions } from "./pseudoterminal.js";
import { waitForExit } from "./startmuster.js";
import { TerminalModel } from "./terminalmodel.js";

/** Starts muster in a terminal that a model follows; it is ended with the test. */
export function followTerminal(t: Pick<Test, "teardown">, words: string[], options: TerminalOptions = {}) {
  const model = new TerminalModel(options.columns ?? 80, options.rows ?? 24);
  const child = startInTerminal(words, options);
  t.teardown(() => child.kill());
  let raw = "";
  child.stdout!.on("data", (bytes) => {
    raw += bytes;
    model.write(`${bytes}`);
  });
  const shows = (pattern: RegExp) => model.screen.some((line) => pattern.test(line));
  const waitFor = (what: string, ...patterns: RegExp[]) =>
    waitUntil(what, () => patterns.every(shows), 60).catch(({ message }) => {
      throw new Error([message, ...model.screen].join("\n"));
    });
  return { model, child, shows, waitFor, raw: () => raw, ended: waitForExit(child) };
}
