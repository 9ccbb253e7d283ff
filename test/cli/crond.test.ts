import { spawn } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";
import { findProgram, wholeMachines } from "../lab/requirements.js";
import { TestFolder } from "./startmuster.js";

const missing = ["cron", "crontab", "unshare", "setpriv"].find((name) => findProgram(name) === undefined);
const skip =
  wholeMachines("a cron daemon and a user of its own") ??
  (missing ? `needs ${missing}: apt-get install cron util-linux` : false);

/** A user id that is unused on any usual machine. */
const UID = "54321";
/** The time that two starts may take on a slow machine. */
const TIMEOUT_MINUTES = 4.5;

t.test(
  "Debian's cron starts an installed pipeline every minute",
  { skip, timeout: TIMEOUT_MINUTES * 60_000 },
  async (t) => {
    const shop = new TestFolder();
    t.teardown(() => shop.remove());
    chmodSync(shop.folder, 0o755);
    const pipeline = (name: string, script: string) =>
      shop.write(`home/${name}/${name}.yaml`, {
        schedule: "* * * * *",
        steps: { a: { command: ["sh", "-c", script] } },
      });
    pipeline("good", "env; echo said; echo 'not heard' >&2");
    pipeline("bad", "echo broken pipe of the pipeline >&2; exit 4");
    pipeline("slow", "until [ -e go ]; do sleep 0.2; done");
    const own = "# mine: 100% of it\nOWN=value\n0 5 31 12 * true\n";
    shop.write("crontab", own);
    const words = ["--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "bash"];
    const script = join(projectRoot(), "test/lab/cron.sh");
    const machine = spawn("unshare", [...words, script, shop.folder, projectRoot(), process.execPath, UID], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [machine.stdout, machine.stderr]) stream.on("data", (bytes) => (said += bytes));
    let gone = false;
    const ended = new Promise<void>((resolve) =>
      machine.on("close", () => {
        gone = true;
        resolve();
      }),
    );
    t.teardown(async () => {
      machine.kill("SIGKILL");
      await ended;
    });

    const log = (name: string) => {
      const file = join(shop.folder, `home/${name}/runs/${name}.log`);
      return existsSync(file) ? readFileSync(file, "utf8") : "";
    };
    const count = (name: string, what: RegExp) => log(name).match(what)?.length ?? 0;
    const mails = () => {
      const folder = join(shop.folder, "mail");
      return existsSync(folder) ? readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8")) : [];
    };
    const until = async (holds: () => boolean) => {
      while (!holds() && !gone) await new Promise((r) => setTimeout(r, 200));
      if (!holds()) throw new Error(`the machine ended: ${said}`);
    };
    await until(
      () => count("good", / complete after /g) >= 2 && count("slow", / skipped: /g) >= 1 && mails().length >= 2,
    );
    const installed = readFileSync(join(shop.folder, "installed"), "utf8");
    t.ok(installed.startsWith(own), "the user's own lines are as they were");
    t.equal(installed.match(/^# BEGIN muster /gm)?.length, 3);

    t.ok(
      mails().every((mail) => /^Subject: .*home\/bad\/bad\.yaml$/m.test(mail)),
      "only what fails is mailed",
    );
    const body = mails()[0]!.split("\n\n").slice(1).join("\n\n");
    t.match(
      body,
      /^muster: bad: failed\n {2}a: failed, [^\n]+: exit code 4\n {6}broken pipe of the pipeline\nsee: muster status \S+\n$/,
    );

    const runs = readdirSync(join(shop.folder, "home/good/runs")).filter((name) => /^good-\d{8}T\d{6}Z$/.test(name));
    t.ok(runs.length >= 2, "each firing has a run directory of its own");
    const out = readFileSync(join(shop.folder, "home/good/runs", runs[0]!, "a/logs/command.out"), "utf8");
    t.match(out, /^PATH=\/usr\/local\/sbin:\/usr\/local\/bin:\/usr\/sbin:\/usr\/bin:\/sbin:\/bin$/m);
    t.match(out, /^LC_ALL=C\.UTF-8$/m);
    t.match(out, new RegExp(`^HOME=${shop.folder}/home$`, "m"));
    t.notMatch(out, /^(SSH_AUTH_SOCK|TERM|MUSTER_INVENTORY)=/m, "it has what cron gives, and nothing else");

    t.equal(count("slow", / began: /g), 1, "the slow one is not started over itself");
    t.match(log("slow"), /skipped: process \d+ on \S+, since \S+ is still running this pipeline/);
    writeFileSync(join(shop.folder, "home/slow/go"), "");
    await until(() => count("slow", / complete after /g) >= 1);
  },
);
