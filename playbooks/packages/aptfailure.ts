/** Why apt failed, and what to do next. */
export interface PackageFailure {
  message: string;
  next?: string;
  /** Whether reading the lists of packages again may help. */
  isStale?: true;
  /** Whether another package manager is at work. */
  isLocked?: true;
}

type Rule = readonly [pattern: RegExp, explain: (match: RegExpExecArray) => PackageFailure];

/** In order: the first that matches counts. The texts are those of apt 1.8 to 3.0 and dpkg in English. */
const RULES: readonly Rule[] = [
  [
    /^E: (?:Could not get lock|Unable to lock directory|Unable to acquire the dpkg frontend lock)[^\n]*?(?:held by process (\d+)(?: \(([^)\n]+)\))?|$)/m,
    ([, pid, program]) => ({
      message: `another package manager is at work${pid === undefined ? "" : `: ${program ?? "process"} ${program === undefined ? pid : `(process ${pid})`}`}`,
      next: "Wait until it has ended there, then provision again.",
      isLocked: true,
    }),
  ],
  [
    /dpkg was interrupted/,
    () => ({
      message: "an earlier installation was interrupted",
      next: "Run `sudo dpkg --configure -a` there, then provision again.",
    }),
  ],
  [
    /No space left on device|You don't have enough free space in (\S+?)\.?$/m,
    ([, folder]) => ({
      message: `the disk is full${folder === undefined ? "" : ` (${folder})`}`,
      next: "Make room there: `apt-get clean`, and `apt-get autoremove` for old kernels in /boot.",
    }),
  ],
  [
    /^[EW]: .*(?:EXPKEYSIG|The following signatures were invalid: EXPKEYSIG) (\S+)/m,
    ([, key]) => ({
      message: `the signing key ${key} of a package source has expired`,
      next: "Get the source's new key, and name its file and fingerprint in package_sources.",
    }),
  ],
  [
    /NO_PUBKEY (\S+)/,
    ([, key]) => ({
      message: `a package source is signed with the key ${key}, which is not known there`,
      next: "Name the source and its key in package_sources, or remove the source.",
    }),
  ],
  [
    /^E: Unable to locate package (\S+)/m,
    ([, name]) => ({
      message: `there is no package ${name}`,
      next: "Correct its name, or add the source that has it (package_sources).",
      isStale: true,
    }),
  ],
  [
    /^E: Package '?([^' ]+)'? has no installation candidate/m,
    ([, name]) => ({
      message: `no source has the package ${name}`,
      next: "Add the source that has it (package_sources).",
      isStale: true,
    }),
  ],
  [
    /^E: Version '([^']+)' for '([^']+)' was not found/m,
    ([, version, name]) => ({
      message: `no source has version ${version} of ${name}`,
      next: `Run \`apt-cache policy ${name}\` there: it lists the versions that there are.`,
      isStale: true,
    }),
  ],
  [
    /^E: Held packages were changed/m,
    () => ({
      message: "a held package would change",
      next: "Say `hold: true` for it in packages, so that muster may change it, or `apt-mark unhold` it there.",
    }),
  ],
  [
    /(?:Temporary failure resolving|Could not resolve) '([^']+)'/,
    ([, host]) => ({
      message: `the node cannot resolve ${host}`,
      next: "Check its network and DNS.",
    }),
  ],
  [
    /(?:Could not connect to|Unable to connect to|Failed to fetch) (\S+)/,
    ([, place]) => ({
      message: `the node cannot fetch from ${place}`,
      next: "Check its network, or reach of the source.",
      isStale: true,
    }),
  ],
  [
    /^E: (?:Unable to correct problems, you have held broken packages|Error, pkgProblemResolver::Resolve generated breaks)/m,
    () => ({
      message: "these packages cannot be installed together, or a held package is in the way",
      next: "See `apt-mark showhold` there: say that a package which must go is `absent` (packages), or `apt-mark unhold` it.",
    }),
  ],
];

/** Pure: explains what apt printed before it failed. */
export function explainAptFailure(output: string): PackageFailure {
  for (const [pattern, explain] of RULES) {
    const match = pattern.exec(output);
    if (match !== null) return explain(match);
  }
  const lines = output.trim().split("\n");
  return { message: lines.findLast((line) => /^(?:E|dpkg): /.test(line)) || lines.at(-1) || "it said nothing" };
}
