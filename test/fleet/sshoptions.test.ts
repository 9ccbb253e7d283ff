import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import {
  NAMED_OPTIONS,
  READ_OPTIONS,
  REFUSED_OPTIONS,
  RESOLVED_OPTIONS,
  rejectRefusedOptions,
} from "../../fleet/ssh/sshoptions.js";
import { parseSettings } from "../../fleet/ssh/sshsettings.js";
import { projectRoot } from "../lab/project.js";
import { findProgram } from "../lab/requirements.js";

const WHERE = { node: "rig", step: "ssh configuration" };

/** The rows of the table in docs/ssh-config.md: option -> what muster does. */
function readTable(): [option: string, does: string][] {
  const text = readFileSync(join(projectRoot(), "docs/ssh-config.md"), "utf8");
  return [...text.matchAll(/^\| `(\w+)` \| ([^|]*) \|/gm)].map(([, option, does]) => [option!, does!]);
}

const listDoing = (does: string) =>
  readTable()
    .filter((row) => row[1] === does)
    .map(([option]) => option)
    .sort();

t.test("the table says of each option what the code does", async (t) => {
  t.same(listDoing("refused"), REFUSED_OPTIONS.map(({ option }) => option).sort());
  t.same(listDoing("as ssh"), [...READ_OPTIONS, ...RESOLVED_OPTIONS].sort());
  const ignored = listDoing("no effect");
  for (const option of NAMED_OPTIONS) t.ok(ignored.includes(option), option);
  t.equal(readTable().length, listDoing("refused").length + listDoing("as ssh").length + ignored.length);
  t.equal(new Set(readTable().map(([option]) => option)).size, readTable().length, "no option twice");
});

t.test("each option that is read is used", async (t) => {
  const folder = join(projectRoot(), "fleet/ssh");
  const files = readdirSync(folder).filter((name) => name.endsWith(".ts") && name !== "sshoptions.ts");
  const code = files.map((name) => readFileSync(join(folder, name), "utf8")).join("\n");
  for (const option of [...READ_OPTIONS, ...NAMED_OPTIONS])
    t.ok(code.includes(`"${option}"`) || code.includes(`"${option.toLowerCase()}"`), option);
});

t.test(
  "the table has each option that ssh -G prints here",
  { skip: findProgram("ssh") === undefined && "needs ssh (openssh-client)" },
  async (t) => {
    const config = [
      "BindInterface lo",
      "KnownHostsCommand /bin/true",
      "ProxyCommand true",
      "RevokedHostKeys /none",
      "RemoteCommand true",
      "LocalForward 1 host:1",
      "CertificateFile /none",
    ];
    const words = config.flatMap((line) => ["-o", line]);
    const printed = execFileSync("ssh", ["-F", "none", ...words, "-G", "host"], { encoding: "utf8", stdio: "pipe" });
    const listed = new Set(readTable().map(([option]) => option.toLowerCase()));
    const keys = [...parseSettings(printed).keys()].map((key) => key.toLowerCase());
    t.ok(keys.length > 60);
    t.same(
      keys.filter((key) => !listed.has(key)),
      [],
    );
  },
);

t.test("refused options are named with what to do", async (t) => {
  const cases: [settings: string, message: RegExp | undefined][] = [
    ["bindinterface eth0", /BindInterface eth0 is not supported/],
    ["bindinterface none", undefined],
    ["knownhostscommand /bin/keys %H", /KnownHostsCommand \/bin\/keys %H/],
    ["preferredauthentications password,keyboard-interactive", /PreferredAuthentications .*excludes publickey/],
    ["preferredauthentications keyboard-interactive,publickey", undefined],
    ["proxyusefdpass yes", undefined],
    ["proxyusefdpass yes\nproxycommand nc -F", /ProxyUseFdpass yes/],
    ["proxyusefdpass no\nproxycommand nc -F", undefined],
    ["pubkeyauthentication no", /PubkeyAuthentication no/],
    ["pubkeyauthentication false", /PubkeyAuthentication false/],
    ["pubkeyauthentication true", undefined],
    ["pubkeyauthentication unbound", undefined],
    ["refuseconnection use the other gate", /RefuseConnection use the other gate/],
  ];
  for (const [settings, message] of cases) {
    const reject = () => rejectRefusedOptions(parseSettings(settings), WHERE);
    if (message === undefined) t.doesNotThrow(reject, settings);
    else t.throws(reject, { code: "CONFIG", message, next: /\w/ }, settings);
  }
});
