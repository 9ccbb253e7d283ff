import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { startLab } from "../lab/lab.js";
import { lackingSystemd } from "../lab/requirements.js";
import { type Spoil, spoilAndMend } from "./spoil.js";
import { findVerdict, listWrong, TestNode } from "./testnode.js";

const skip = lackingSystemd();

const APP = `[Service]
ExecStart=/bin/sh -c 'echo "$(cat /etc/app.conf)" >/run/app; exec sleep infinity'
[Install]
WantedBy=basic.target
`;
const TIMER = "[Timer]\nOnCalendar=hourly\n[Install]\nWantedBy=timers.target\n";
const FAILING = "[Service]\nExecStart=/bin/sh -c 'echo no such card >&2; sleep 0.3; exit 4'\n";

const SERVICES = {
  app: { unit: "app.service", enabled: true, running: true, restart_on: ["/etc/app.conf"] },
  "hourly.service": { unit: "hourly.service" },
  "hourly.timer": { unit: "hourly.timer", enabled: true, running: true },
  unwanted: { enabled: false, running: false },
  "dbus.socket": { masked: true, running: false },
};

const spoils: Spoil[] = [
  {
    name: "stopped",
    script: "systemctl stop app",
    resource: "unit app.service",
    says: /^app\.service: inactive \/ running$/,
  },
  {
    name: "killed",
    script: "systemctl kill -s KILL app; until systemctl is-failed -q app; do sleep 0.1; done",
    resource: "unit app.service",
    says: /^app\.service: failed \/ running$/,
  },
  {
    name: "not at boot",
    script: "systemctl disable app",
    resource: "unit app.service",
    says: /^app\.service: disabled \/ enabled$/,
  },
  {
    name: "its unit file is another one",
    script: "echo '# x' >>/etc/systemd/system/app.service",
    resource: "unit app.service",
    says: /^\/etc\/systemd\/system\/app\.service: content/,
  },
  {
    name: "no unit file",
    script: "systemctl disable --now app; rm /etc/systemd/system/app.service; systemctl daemon-reload",
    resource: "unit app.service",
    says: /^\/etc\/systemd\/system\/app\.service: file: missing/,
  },
  {
    name: "its configuration is newer",
    script: "touch /etc/app.conf",
    resource: "unit app.service",
    says: /^app\.service: started before \/etc\/app\.conf changed \/ restarted$/,
  },
  {
    name: "a timer is stopped",
    script: "systemctl stop hourly.timer",
    resource: "unit hourly.timer",
    says: /^hourly\.timer: inactive \/ running$/,
  },
  {
    name: "no longer masked",
    script: "systemctl unmask dbus.socket",
    resource: "unit dbus.socket",
    says: /^dbus\.socket: not masked \/ masked$/,
  },
];

t.test("units of a node whose first process is systemd", { skip }, async (t) => {
  const lab = await startLab({ nodes: ["rig"], gpus: 0, systemd: true });
  t.teardown(() => lab.stop());
  const node = lab.nodes[0]!;
  const write = (name: string, text: string) => writeFileSync(join(lab.folder, name), text);
  write("app.service", APP);
  write("hourly.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n");
  write("hourly.timer", TIMER);
  write("failing.service", FAILING);
  write("app.conf", "one\n");
  const open = (services: Record<string, unknown>) => {
    const templates = { "/etc/app.conf": { source: "app.conf" } };
    return TestNode.open(
      lab.inventory({ node: { services, templates }, top: { playbooks: ["templates", "services"] } }),
    );
  };
  const bench = await open(SERVICES);
  t.teardown(() => bench.connection.close());
  const first = await bench.provision();
  t.same(
    listWrong(first).filter((one) => !one.endsWith(": changed")),
    [],
  );
  t.equal((await node.exec(["cat", "/run/app"])).stdout, "one\n");
  t.same(listWrong(await bench.provision()), [], "a second provision changes nothing");
  for (const spoil of spoils) await t.test(spoil.name, (t) => spoilAndMend(t, bench, node, spoil));

  await t.test("a changed configuration restarts its unit in the same pass", async (t) => {
    write("app.conf", "two\n");
    t.same(listWrong(await bench.provision()), ["template /etc/app.conf: changed", "unit app.service: changed"]);
    t.equal((await node.exec(["cat", "/run/app"])).stdout, "two\n");
  });
  await t.test("a unit that ends soon, or cannot start, fails with its last log lines", async (t) => {
    const wrong = await open({ failing: { unit: "failing.service", running: true }, nosuch: { running: true } });
    t.teardown(() => wrong.connection.close());
    const done = await wrong.provision();
    t.match(findVerdict(done, "unit failing.service"), {
      state: "failed",
      reason: /^failing\.service does not stay up; its log ends: .*no such card/,
      next: /journalctl/,
    });
    t.match(findVerdict(done, "unit nosuch.service"), { state: "failed", reason: /cannot be running: no such unit/ });
  });
});

t.test("units of a node without systemd", { skip }, async (t) => {
  const lab = await startLab({ nodes: ["rig"], gpus: 0 });
  t.teardown(() => lab.stop());
  const bench = await TestNode.open(
    lab.inventory({ node: { services: { cron: { running: true } } }, top: { playbooks: ["services"] } }),
  );
  t.teardown(() => bench.connection.close());
  t.match(findVerdict(await bench.verify(), "unit cron.service"), {
    state: "drift",
    differences: [{ have: /bus|systemd/, want: "running" }],
  });
});
