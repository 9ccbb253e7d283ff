import { readFileSync, readlinkSync, rmSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runMuster, TestFolder } from "../cli/startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

t.test("the playbook of the example applies its state once, and detects drift", async (t) => {
  const inventory = join(shop.example("playbooks"), "inventory.yaml");
  const env = { HOME: t.testdir({}) };
  const there = (path: string) => join(env.HOME, "muster-example", path);
  const run = (verb: string) => runMuster([verb, "-i", inventory, "--json"], { env });
  const states = (out: string) =>
    (JSON.parse(out) as { nodes: { resources: { state: string }[] }[] }).nodes[0]!.resources.map(({ state }) => state);
  const before = await run("verify");
  t.equal(before.code, 2, before.err);
  t.same(states((await run("provision")).out), ["changed", "changed", "changed"]);
  t.equal(readFileSync(there("settings.ini"), "utf8"), "[node]\nname = here\n");
  t.equal(statSync(there(".")).mode & 0o777, 0o700);
  t.equal(readlinkSync(there("current")), "data-2026-01");
  t.same(states((await run("provision")).out), ["ok", "ok", "ok"]);
  rmSync(there("current"));
  symlinkSync("elsewhere", there("current"));
  t.same(states((await run("verify")).out), ["ok", "ok", "drift"]);
  t.same(states((await run("provision")).out), ["ok", "ok", "changed"]);
});
