import type { Writers } from "../report/writers.js";

/** Turns the first Ctrl-C or TERM into an orderly stop; the second one ends the program at once. */
export function handleStopSignals(writers: Writers) {
  const controller = new AbortController();
  let code: number | undefined;
  const on = (status: number) => () => {
    if (code !== undefined) process.exit(status);
    code = status;
    writers.err(
      "stopping: no new chunks; what runs on the nodes goes on, and the same command collects it (again to leave at once)",
    );
    controller.abort();
  };
  const handlers = { SIGINT: on(130), SIGTERM: on(143), SIGHUP: on(129) };
  for (const [name, handler] of Object.entries(handlers)) process.on(name, handler);
  const release = () => {
    for (const [name, handler] of Object.entries(handlers)) process.off(name, handler);
  };
  return { signal: controller.signal, code: () => code, release };
}
