import { constants } from "node:os";

/** Turns the first SIGINT, SIGTERM or SIGHUP into an abort of `signal`; a second one exits at once. */
export function handleInterrupt() {
  const controller = new AbortController();
  let status: number | undefined;
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const handlers = names.map((name) => () => {
    if (status !== undefined) process.exit(status);
    status = 128 + constants.signals[name];
    controller.abort();
  });
  for (const [index, name] of names.entries()) process.on(name, handlers[index]!);
  const release = () => {
    for (const [index, name] of names.entries()) process.off(name, handlers[index]!);
  };
  return { signal: controller.signal, exitStatus: () => status, release };
}
