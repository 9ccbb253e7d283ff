import { homedir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { parseInventory } from "../../../fleet/inventory.js";
import { formatProblem } from "../../../schemas/errors.js";
import { parseSource } from "../../../schemas/parsesource.js";
import { catchProblems } from "../../schemas/problems.js";
import { createHealSettings } from "./healfixture.js";

const parse = (text: string) => parseInventory(parseSource("/cluster/inventory.yaml", text), "/cluster/inventory.yaml");
const settingsOf = (heal: string) => parse(`nodes: {a: }\nheal: ${heal}\n`).heal;

t.test("healing is opt in, and has defaults", async (t) => {
  t.equal(parse("nodes: {a: }\n").heal, undefined);
  for (const heal of ["", "{}"]) t.same(settingsOf(heal), createHealSettings({ envFile: undefined }));
});

t.test("every key", async (t) => {
  const text =
    "{after: 1m, reboot: [], most: 12/day, pause: 2m, wait: 3m, at_once: 2, timeout: 4s, env_file: ~/plug.env, on_heal: [{command: [tell, 1.0]}, {webhook_file: hook, token_env: TOKEN, timeout: 5s}]}";
  t.same(settingsOf(text), {
    afterSeconds: 60,
    reboot: [],
    mostPerDay: 12,
    pauseSeconds: 120,
    waitSeconds: 180,
    atOnce: 2,
    commandSeconds: 4,
    envFile: join(homedir(), "plug.env"),
    onHeal: [
      { kind: "command", argv: ["tell", "1.0"], timeoutSeconds: 10 },
      {
        kind: "webhook",
        address: { in: "file", path: "/cluster/hook" },
        token: { in: "environment", name: "TOKEN" },
        timeoutSeconds: 5,
      },
    ],
  });
  const [node] = parse("nodes: {a: {power_cycle: [plug, 0x10, '{host}']}}\n").nodes;
  t.same(node?.powerCycle, ["plug", "0x10", "{host}"], "words are as they are written");
});

t.test("what is wrong is named with its position", async (t) => {
  for (const [text, message] of [
    [
      "nodes: {a: }\nheal: {most: often}\n",
      /inventory\.yaml:2:\d+: heal\.most must be a number of healings a day, like 2\/day/,
    ],
    ["nodes: {a: }\nheal: {most: 0/day}\n", /heal\.most must be/],
    ["nodes: {a: }\nheal: {after: 0}\n", /heal\.after must be a span of time above zero/],
    ["nodes: {a: }\nheal: {reboot: [sick]}\n", /heal\.reboot\[0\]/],
    ["nodes: {a: }\nheal: {afterwards: 1m}\n", /unknown key "afterwards" in heal/],
    ["nodes: {a: }\nheal: {on_heal: [{token_env: T}]}\n", /heal\.on_heal\[0\] needs one of command, webhook/],
    [
      "nodes: {a: }\nheal: {on_heal: [{command: [x], token_env: T}]}\n",
      /heal\.on_heal\[0\] has a token, which only a webhook takes/,
    ],
    ["nodes: {a: {power_cycle: []}}\n", /nodes\.a\.power_cycle/],
    [
      "nodes: {zeus: {connection: local, power_cycle: [plug]}}\n",
      /inventory\.yaml:1:\d+: nodes\.zeus\.power_cycle: muster runs on this machine, and never power-cycles it/,
    ],
  ] as const)
    t.match(
      catchProblems(() => parse(text))
        .map(formatProblem)
        .join("\n"),
      message,
      text,
    );
});
