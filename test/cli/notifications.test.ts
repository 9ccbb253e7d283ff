import { existsSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

interface Request {
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}
const requests: Request[] = [];
/** The next statuses of the server; 200 when the list is empty. */
const answers: number[] = [];
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (bytes) => (body += bytes));
  request.on("end", () => {
    requests.push({ url: request.url!, headers: request.headers, body });
    response.writeHead(answers.shift() ?? 200, { location: "/elsewhere" }).end();
  });
});
let address: string;
t.before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
t.teardown(() => void server.close());

/** Runs a pipeline of one command with these notifications, after clearing the server's requests. */
async function run(
  name: string,
  script: string,
  notices: object,
  env: Record<string, string> = {},
  ...words: string[]
) {
  requests.length = 0;
  const file = shop.write(`${name}/p.yaml`, { ...notices, steps: { a: { command: ["sh", "-c", script] } } });
  return runMuster(["run", file, "-i", "local", ...words], { env });
}

t.test("a notification command gets the summary as JSON on its stdin", async (t) => {
  shop.write("tell.sh", '#!/bin/sh\ncat > "$1"\n', 0o755);
  const notify = (to: string) => [{ command: ["../tell.sh", to] }];
  const ran = await run("command", "echo oh no >&2; exit 9", {
    on_failure: notify("failure.json"),
    on_success: notify("success.json"),
  });
  t.equal(ran.code, 3, ran.err);
  t.match(shop.json("command/failure.json"), {
    occasion: "on_failure",
    exit: 3,
    name: "p",
    state: "partial",
    steps: [{ step: "a", state: "failed", reason: "exit code 9\noh no" }],
  });
  t.throws(() => shop.read("command/success.json"));
  await run("command2", "true", { on_success: notify("success.json"), on_failure: notify("failure.json") });
  t.match(shop.json("command2/success.json"), { occasion: "on_success", exit: 0, state: "complete" });
  t.throws(() => shop.read("command2/failure.json"));
});

t.test("on_failure hears of every exit status but 0, on_drift of drift in addition", async (t) => {
  const notify = (to: string) => [{ command: ["sh", "-c", `cat > ${to}.json`] }];
  const all = { on_failure: notify("failure"), on_success: notify("success"), on_drift: notify("drift") };
  const inventory = shop.write("drift/inventory.yaml", {
    nodes: { here: { connection: "local", slots: 1 } },
    manifests: { a: { value: 1, in: [{ file: `${shop.folder}/conf.json`, pointer: "/a" }] } },
  });
  shop.write("conf.json", { a: 2 });
  const drifting = shop.write("drift/p.yaml", { ...all, steps: { a: { verify: ["manifest-sync"] } } });
  t.match(await runMuster(["run", drifting, "-i", inventory]), { code: 2 });
  t.match(shop.json("drift/failure.json"), { occasion: "on_failure", exit: 2, steps: [{ state: "drift" }] });
  t.match(shop.json("drift/drift.json"), { occasion: "on_drift", exit: 2 });
  t.throws(() => shop.read("drift/success.json"));

  const long = shop.write("stopped/p.yaml", {
    ...all,
    steps: { a: { command: ["sh", "-c", "touch began; sleep 60"] } },
  });
  const running = startMuster(["run", long, "-i", "local"]);
  const ended = waitForExit(running);
  await waitUntil("it has begun", () => existsSync(join(shop.folder, "stopped/began")));
  const other = await runMuster(["run", long, "-i", "local"]);
  t.equal(other.code, 75);
  t.match(shop.json("stopped/failure.json"), { exit: 75, state: "refused", error: /process \d+/ });
  running.kill("SIGTERM");
  t.equal((await ended).code, 143);
  t.match(shop.json("stopped/failure.json"), { exit: 143, state: "interrupted" });
});

t.test("a webhook gets a POST, which is retried after server errors, and its token is never printed", async (t) => {
  answers.push(503, 503);
  shop.write("hook/token", "s3cret-token\n");
  const notice = { webhook_env: "MY_HOOK", token_file: "token" };
  const ran = await run("hook", "exit 1", { on_failure: [notice] }, { MY_HOOK: `${address}/s3cret-path` }, "--cron");
  t.equal(ran.code, 3);
  t.equal(requests.length, 3);
  const [, , last] = requests;
  t.match(last, {
    url: "/s3cret-path",
    headers: { "content-type": "application/json", authorization: "Bearer s3cret-token" },
  });
  t.match(JSON.parse(last!.body), { occasion: "on_failure", state: "partial", steps: [{ state: "failed" }] });
  t.notMatch(ran.out + ran.err + shop.read("hook/runs/p.log") + last!.body, /s3cret/);
  t.notMatch(ran.err, /notification/);
});

t.test("a notification that is not delivered is reported without its secrets, and changes nothing else", async (t) => {
  answers.push(404);
  const refused = await run("refused", "true", { on_success: [{ webhook: `${address}/s3cret` }] });
  t.equal(refused.code, 0);
  t.equal(requests.length, 1, "a refusal is not tried again");
  t.match(refused.err, /notification to 127\.0\.0\.1:\d+ was not delivered: the server responded with 404/);
  answers.push(302, 302, 302);
  const moved = await run(
    "moved",
    "true",
    { on_success: [{ webhook: address, token_env: "TOKEN" }] },
    { TOKEN: "s3cret" },
  );
  t.notOk(
    requests.some(({ url }) => url === "/elsewhere"),
    "the token goes nowhere else",
  );
  const unset = await run("unset", "true", {
    on_success: [{ webhook_env: "NO_SUCH_HOOK" }, { webhook_file: "none" }, { command: ["./none"] }],
  });
  t.equal(unset.code, 0);
  t.match(unset.err, /\$NO_SUCH_HOOK was not delivered: the environment variable NO_SUCH_HOOK is not set/);
  t.match(unset.err, /cannot read \S+unset\/none \(ENOENT\)/);
  t.match(unset.err, /notification \.\/none was not delivered: program not found/);
  const odd = await run("odd", "true", { on_success: [{ webhook_env: "HOOK" }] }, { HOOK: "ftp://s3cret" });
  t.match(odd.err, /its URL is neither http nor https/);
  const slow = await run("slow", "true", { on_success: [{ command: ["sleep", "100"], timeout: "200ms" }] });
  t.match(slow.err, /notification sleep was not delivered: it ran longer than 0\.2 s/);
  t.notMatch([refused, moved, unset, odd].map(({ err, out }) => err + out).join(), /s3cret/);
});

t.test("a rejected pipeline sends notifications where they can be read", async (t) => {
  const notify = (to: string) => `on_failure: [{command: [sh, -c, "cat > ${to}.json"]}]\n`;
  const runFile = (name: string, text: string, ...words: string[]) =>
    runMuster(["run", shop.write(`${name}/p.yaml`, text), "-i", "local", ...words]);
  const refused = await runFile("refused-file", `${notify("reported")}steps: {a: {job: nowhere.yaml}}\n`, "--cron");
  t.equal(refused.code, 65);
  t.match(refused.err, /p\.yaml:2:\d+: .*nowhere\.yaml/);
  t.match(shop.json("refused-file/reported.json"), {
    occasion: "on_failure",
    exit: 65,
    name: "p",
    state: "refused",
    error: /nowhere\.yaml/,
  });
  const planned = await runFile("planned", `${notify("reported")}steps: {a: {job: nowhere.yaml}}\n`, "--plan");
  t.equal(planned.code, 65);
  t.throws(() => shop.read("planned/reported.json"), "a plan notifies nobody");
  const typed = await runFile("typed", `${notify("reported")}steps: {a: {command: [w]}}\n`, "--only", "b");
  t.equal(typed.code, 64);
  t.throws(() => shop.read("typed/reported.json"), "nor do wrong words");
  const odd = await runFile("odd-hook", "on_failure: [{webhook: nowhere}]\nsteps: {a: {command: [w]}}\n");
  t.equal(odd.code, 65);
  t.match(odd.err, /notification to the webhook was not delivered: its URL is neither http nor https/);
  const torn = await runFile("torn", `${notify("reported")}steps: {a: [\n`);
  t.match(torn, { code: 65, err: /p\.yaml:\d+:\d+/ });
  t.throws(() => shop.read("torn/reported.json"));
});

t.test("invalid notifications are rejected with their position", async (t) => {
  const file = shop.write(
    "bad.yaml",
    "steps: {a: {command: [w]}}\non_failure:\n  - {command: [x], webhook: http://x}\non_drift:\n  - {webhook: nowhere}\n",
  );
  const ran = await runMuster(["validate", file]);
  t.equal(ran.code, 65);
  t.match(ran.err, /bad\.yaml:3:5: on_failure\[0\] needs one of command, webhook/);
  t.match(ran.err, /bad\.yaml:5:15: on_drift\[0\]\.webhook must begin with http/);
});
