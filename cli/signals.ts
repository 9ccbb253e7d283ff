import type { Writers } from "../report/writers.js";

/**
 * Turns the first SIGINT, SIGTERM or SIGHUP into an abort of `signal`; a second one exits at once. `code` returns the exit status for the
 * signal that was received, and `release` removes the handlers.
 */
export function handleStopSignals(writers: Writers) {
  const controller = new AbortController();
  let code: number | undefined;
  const on = (status: number) => () => {
    if (code !== undefined) process.exit(status);
    code = status;
    writers.err(
      "stopping: no new chunks are started; running chunks continue on their nodes, and the same command collects them (repeat to exit now)",
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
