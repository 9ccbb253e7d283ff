import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import t, { type Test } from "tap";
import { planLogoutSurvival } from "../../cli/loginsession.js";

const SYSTEMD = "run/systemd/system/x";
const LINGER = "var/lib/systemd/linger/ann";
const MANAGER = "run/user/1000/systemd/private";
const PROGRAM = "usr/bin/systemd-run";
const SCOPE = ["systemd-run", "--user", "--scope", "--quiet", "--collect", "--"];

/** Plans on a machine with these files. */
function plan(t: Test, files: string[], user: { uid?: number; runtime?: string } = {}) {
  const root = mkdtempSync(join(tmpdir(), "muster-test-"));
  t.teardown(() => rmSync(root, { recursive: true }));
  for (const file of files) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), "");
  }
  const env = { PATH: "/bin:/usr/bin", ...(user.runtime === undefined ? {} : { XDG_RUNTIME_DIR: user.runtime }) };
  return planLogoutSurvival({ name: "ann", uid: user.uid ?? 1000, env }, root);
}

t.test("a scope of the user's systemd, only where that outlives the login", async (t) => {
  const bare = { prefix: [], env: {} };
  t.same(plan(t, [LINGER, MANAGER, PROGRAM]), bare, "no systemd");
  t.same(plan(t, [SYSTEMD, LINGER, PROGRAM]), bare, "no service manager of the user");
  t.same(plan(t, [SYSTEMD, LINGER, MANAGER]), bare, "no systemd-run");
  const scope = { prefix: SCOPE, env: { XDG_RUNTIME_DIR: "/run/user/1000" } };
  t.same(plan(t, [SYSTEMD, LINGER, MANAGER, PROGRAM]), scope, "as under cron, without XDG_RUNTIME_DIR");
  t.same(plan(t, [SYSTEMD, LINGER, "x/systemd/private", PROGRAM], { runtime: "/x" }), {
    prefix: SCOPE,
    env: { XDG_RUNTIME_DIR: "/x" },
  });
});

t.test("it says where linger is off, which does not matter to root", async (t) => {
  const { prefix, note } = plan(t, [SYSTEMD, MANAGER, PROGRAM]);
  t.same(prefix, [], "that service manager would end with the login");
  t.match(note, /linger is off for ann.*loginctl enable-linger/);
  t.same(plan(t, [SYSTEMD, MANAGER, PROGRAM], { uid: 0 }), { prefix: [], env: {} });
});
