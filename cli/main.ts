/** Starts the command line. Nothing else is imported before Node.js is known to be new enough to load it. */
const MIN_VERSION = [20, 19] as const;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < MIN_VERSION[0] || (major === MIN_VERSION[0] && minor < MIN_VERSION[1])) {
  const { terminal } = await import("./terminal.js");
  terminal.err(
    `muster: Node.js ${MIN_VERSION.join(".")} or newer is needed, this is ${process.versions.node}: see https://nodejs.org, or your distribution's package nodejs.`,
  );
  process.exit(69);
}
await import("./commandline.js");
