import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { PROTOCOL_VERSION } from "../../executor/run/agent/protocol.js";
import { watchMuster } from "../faults/knownjob.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { UNSAFE_CHARACTERS } from "../report/hostilestrings.js";
import { startInTerminal } from "./pseudoterminal.js";
import { runMuster, waitForExit } from "./startmuster.js";

/** A terminal title, colours, a link, reordered text, and a line that imitates muster. Safe in a shell's double quotes. */
const EVIL = [
  "first\r\nFORGED: complete\r\n",
  "\u001b]0;OWNED\u0007\u001b[31;7m\u009b5m\u001b]8;;http://evil.example\u0007LIVE\u202e\u2066\u200b日本",
].join("");
/** Sequences that only the hostile text contains. Redrawing lines uses others. */
const ACTS = ["\u001b]", "\u0007", "\u001b[31;7m", "\u009b", "\u202e", "\u2066", "\u200b", "\nFORGED"];

const { skip, shop, lab, nodes } = await shareLab(
  t,
  { nodes: ["good", "agent", "mute"], gpus: 1, vendor: "nvidia", banner: EVIL, user: "root" },
  "looking into nodes",
);
const [good, agent, mute] = nodes as [(typeof nodes)[0], (typeof nodes)[0], (typeof nodes)[0]];

/** Runs Python, but as an agent it says hello, reports a problem, and exits with hostile text on its stderr. */
const FAKE_AGENT = `#!/usr/bin/python3
import json, os, sys
if sys.argv[1] == "-" or "hello" not in open("/etc/agent").read():
    os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv[1:])
evil = open("/etc/evil", encoding="utf-8", newline="").read()
boot = open("/proc/sys/kernel/random/boot_id").read().strip()
def say(**message): print(json.dumps(message), flush=True)
say(ev="hello", muster=${PROTOCOL_VERSION}, boot=boot, pid=os.getpid(), started=1, root="/root/.muster/runs/x", held=[])
say(ev="problem", message="problem " + evil)
sys.stderr.write("stderr " + evil)
sys.exit(5)
`;
/** A program that is not Python. */
const MUTE = "#!/bin/sh\ncat /etc/evil >&2\ncat /etc/evil\nexit 127\n";
/** The hostile text without its line breaks, which would end the line of the tool. */
const CARD = EVIL.slice(EVIL.lastIndexOf("\n") + 1);

const WORKER = `import os, sys, time
evil = open("/etc/evil", encoding="utf-8", newline="").read()
sys.stdout.write("out " + evil + "\\n"); sys.stderr.write("err " + evil + "\\n")
sys.stdout.flush(); sys.stderr.flush()
while os.path.exists("/var/tmp/gate"): time.sleep(0.02)
sys.exit(1 if sys.argv[1] == "bad" else 0)
`;

let job = "";
let inventory = "";
t.before(() => {
  if (skip) return;
  for (const node of nodes) writeFileSync(join(node.root, "etc/evil"), EVIL);
  writeFileSync(join(agent.root, "etc/agent"), "hello");
  writeFileSync(join(agent.root, "usr/local/bin/evil-python"), FAKE_AGENT, { mode: 0o755 });
  writeFileSync(join(mute.root, "usr/local/bin/evil-python"), MUTE, { mode: 0o755 });
  const tool = join(good.root, "usr/local/bin/nvidia-smi");
  writeFileSync(tool, readFileSync(tool, "utf8").replaceAll("NVIDIA GeForce RTX 3080 Ti", `RTX 3080 Ti ${CARD}`));
  shop.write("evil/w.py", WORKER);
  job = shop.write("evil/job.yaml", {
    name: "evil",
    kind: "tasks",
    script: "w.py",
    retry: { attempts: 1 },
    needs: { vendor: "nvidia" },
    tasks: [
      { id: "bad", args: ["bad"] },
      { id: "fine", args: ["fine"] },
    ],
  });
  const python = { python: "/usr/local/bin/evil-python" };
  inventory = lab.inventory({ nodes: { agent: python, mute: python } });
});

/** Returns the hostile sequences that would take effect in a terminal. */
function acting(text: string): string[] {
  return ACTS.filter((one) => text.replaceAll("\r\n", "\n").includes(one)).map((one) => JSON.stringify(one));
}

t.test("hostile text in the live display and the summary of a run", { skip }, async (t) => {
  writeFileSync(join(good.root, "var/tmp/gate"), "");
  const run = watchMuster(startInTerminal(["run", job, "-i", inventory]));
  let shown = "";
  run.child.stdout!.on("data", (bytes) => (shown += bytes));
  await waitUntil("the nodes' words are there", () => /stderr .*LIVE/s.test(shown) && /problem .*LIVE/s.test(shown));
  await waitUntil("they are redrawn", () => shown.split("\u001b[").length > 10 && /agent +\S+: /.test(shown));
  writeFileSync(join(agent.root, "etc/agent"), "behaves from now on");
  rmSync(join(good.root, "var/tmp/gate"));
  const { code } = await run.ended;
  t.equal(code, 3);
  t.match(shown, /failed: chunk bad on \w+ slot 0, attempt 1: exit code 1/);
  t.match(shown, /err first\r\n {4,}FORGED: complete\r\n {4,}\\x1b\]0;OWNED\\x07/, "it is shown as text");
  t.same(acting(shown), []);
});

const run = () => join(shop.folder, "evil/runs/evil");
const COMMANDS: [words: () => string[], expected: RegExp][] = [
  [() => ["nodes", "-v", "-i", inventory], /nvidia RTX 3080 Ti .*OWNED/],
  [() => ["nodes", "-q", "-i", inventory], /mute/],
  [() => ["doctor", "-i", inventory], /mute/],
  [() => ["verify", "gpu", "--diff", "-v", "-i", inventory], /good/],
  [() => ["status", run()], /evil/],
  [() => ["report", run(), "-v"], /\\x1b\]0;OWNED/],
  [() => ["logs", run(), "bad"], /\\x1b\]0;OWNED\\x07.*LIVE\\u\{202e\}/],
  [() => ["run", job, "-i", inventory, "--limit", "good"], /\\x1b\]0;OWNED/],
  [() => ["cancel", run()], /evil/],
];

t.test("hostile text in every other command, on a terminal", { skip }, async (t) => {
  for (const [words, expected] of COMMANDS) {
    const { out } = await waitForExit(startInTerminal(words()));
    t.match(out, expected, words().join(" "));
    // The output of a chunk has lines of its own there.
    const own = words()[0] === "logs" ? ['"\\nFORGED"'] : [];
    t.same(acting(out), own, words().join(" "));
  }
});

t.test("JSON and HTML output is exact and escaped, and logs are byte for byte", { skip }, async (t) => {
  for (const words of [
    ["report", run(), "--json"],
    ["status", run(), "--json"],
    ["nodes", "-i", inventory, "--json"],
  ]) {
    const { out, err } = await runMuster(words);
    t.notMatch(out + err, UNSAFE_CHARACTERS);
    t.ok(JSON.parse(out));
  }
  const report = JSON.parse((await runMuster(["report", run(), "--json"])).out);
  t.match(report.failures[0].stderr, "\u001b]0;OWNED\u0007\u001b[31;7m", "its values are as the node sent them");
  const page = join(shop.folder, "page.html");
  await runMuster(["report", run(), "--html", page]);
  t.match(readFileSync(page, "utf8"), /OWNED/);
  t.notMatch(readFileSync(page, "utf8"), UNSAFE_CHARACTERS);
  const { out } = await runMuster(["logs", run(), "bad", "--err"]);
  t.equal(out, `err ${EVIL}\n`, "byte for byte into a pipe");
  const figures = join(shop.folder, "evil.prom");
  await runMuster(["verify", "gpu", "-i", inventory, "--metrics", figures]);
  t.ok(existsSync(figures));
  t.notMatch(readFileSync(figures, "utf8"), UNSAFE_CHARACTERS);
});

t.test("hostile file names and arguments that cli/ prints itself", async (t) => {
  const name = "\u001b]0;OWNED\u0007\u009b5m\u202e";
  const odd = shop.write(`${name}.yaml`, "kind: range\nrange: [0, 1]\ncommand: ['true']\n");
  for (const words of [
    ["validate", odd],
    ["validate", `${odd}x`],
    ["status", name],
    ["run", name],
    [`--${name}`],
    [name],
  ]) {
    const { out, err } = await runMuster(words);
    t.match(out + err, "OWNED", words.join(" "));
    t.notMatch(out + err, UNSAFE_CHARACTERS, words.join(" "));
  }
});
