import { execFileSync } from "node:child_process";
import { readFileSync, symlinkSync } from "node:fs";
import { createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import t, { type Test } from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, TestFolder, waitForExit } from "./startmuster.js";

const ADDRESS = /^http:\/\/127\.0\.0\.1:(\d+)\/[0-9a-f]{32}\/\n/;

/** A job of one chunk that ends when `go` is there. */
function writeJob(t: Test): { folder: string; finish: () => void } {
  const shop = new TestFolder();
  t.teardown(() => shop.remove());
  const go = join(shop.folder, "go");
  const command = ["sh", "-c", `for i in $(seq 600); do [ -e ${go} ] && exit 0; sleep 0.1; done; exit 1`];
  shop.write("job.yaml", {
    name: "slow",
    kind: "tasks",
    project: "none",
    tasks: [{ id: "one", command, outputs: [] }],
  });
  return { folder: shop.folder, finish: () => void shop.write("go", "") };
}

/** Starts `muster report --serve` and returns its address and how it ended. */
async function serve(t: Test, cwd: string, words: string[] = []) {
  const child = startMuster(["report", "runs/slow", "--serve", ...words], { cwd });
  t.teardown(() => child.kill("SIGKILL"));
  let printed = "";
  child.stdout!.on("data", (bytes) => {
    printed += bytes;
  });
  const ended = waitForExit(child);
  await waitUntil("it prints its address", () => ADDRESS.test(printed));
  const [line, port] = ADDRESS.exec(printed)!;
  return { child, ended, address: line.trim(), port: Number(port) };
}

t.test("a page follows a run, and only whoever has its address can read it", async (t) => {
  const { folder, finish } = writeJob(t);
  const run = waitForExit(startMuster(["run", "-i", "local", "-q", "job.yaml"], { cwd: folder }));
  await waitUntil("the run has begun", async () =>
    (await runMuster(["status", "runs/slow", "--json"], { cwd: folder })).out.includes('"running": 1'),
  );
  const { child, ended, address } = await serve(t, folder);
  const shell = await fetch(address);
  t.match(shell.headers.get("content-security-policy"), /default-src 'none'; script-src 'self'/);
  t.match(await shell.text(), /<script src="follow\.js">/);
  t.match(await (await fetch(`${address}follow.js`)).text(), "report.html");
  const before = await fetch(`${address}report.html`);
  const tag = before.headers.get("etag")!;
  t.match(await before.text(), /chunk one, attempt 1: running/);
  finish();
  t.equal((await run).code, 0);
  let after = "";
  await waitUntil("the page has the end", async () => {
    after = await (await fetch(`${address}report.html`, { headers: { "If-None-Match": tag } })).text();
    return /complete/.test(after);
  });
  const last = (await fetch(`${address}report.html`)).headers.get("etag")!;
  const same = await fetch(`${address}report.html`, { headers: { "If-None-Match": last } });
  t.match([same.status, await same.text()], [304, ""]);
  const { origin } = new URL(address);
  for (const [url, init] of [
    [origin, {}],
    [`${origin}/${"0".repeat(32)}/report.html`, {}],
    [`${address}other`, {}],
  ] as const)
    t.equal((await fetch(url, init)).status, 404, url);
  t.equal((await fetch(`${address}report.html`, { method: "POST" })).status, 405);
  child.kill("SIGINT");
  t.match(await ended, { code: 0 });
  await t.rejects(fetch(address), "nothing listens any more");
});

t.test("what cannot be served is refused at once", async (t) => {
  const { folder, finish } = writeJob(t);
  finish();
  t.equal((await runMuster(["run", "-i", "local", "-q", "job.yaml"], { cwd: folder })).code, 0);
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen({ host: "127.0.0.1", port: 0 }, resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const report = (...words: string[]) => runMuster(["report", ...words], { cwd: folder });
  t.match(await report("runs/slow", "--serve", `${port}`), { code: 69, err: /port \d+ of 127\.0\.0\.1 is in use/ });
  t.match(await report("runs/slow", "--serve", "x"), { code: 64, err: /it must be a port/ });
  t.match(await report("runs/slow", "--serve", "--json"), { code: 64, err: /--serve excludes/ });
  t.match(await report("runs/none", "--serve"), { code: 64 });
});

/** Asks for a path as it is: `fetch` would resolve `..` in it. */
function getRaw(address: string, path: string): Promise<{ status: number; text: string }> {
  const { port, pathname } = new URL(address);
  return new Promise((resolve, reject) => {
    const asked = get({ host: "127.0.0.1", port, path: `${pathname}${path}` }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode!, text: body }), reject);
    });
    asked.on("error", reject);
  });
}

const readLinks = (page: string) => [...page.matchAll(/href="([^"]*)"/g)].map(([, link]) => link!);

t.test("the page of a pipeline links to the logs of its commands and chunks, and nothing else is served", async (t) => {
  const shop = new TestFolder();
  t.teardown(() => shop.remove());
  const secret = shop.write("secret.out", "secret");
  shop.write("job.yaml", {
    name: "trials",
    kind: "tasks",
    project: "none",
    retry: { attempts: 2, backoff: "0.1s" },
    tasks: [
      { id: "good", command: ["sh", "-c", "echo '<b>fine</b>'"], outputs: [] },
      { id: "bad+1", command: ["sh", "-c", "echo to stdout; echo to stderr >&2; exit 3"], outputs: [] },
      { id: "silent", command: ["true"], outputs: [] },
    ],
  });
  shop.write("pipeline.yaml", {
    name: "slow",
    steps: { make: { command: ["sh", "-c", "echo made"] }, trials: { job: "job.yaml", needs: ["make"] } },
  });
  const ran = await runMuster(["run", "-i", "local", "-q", "pipeline.yaml"], { cwd: shop.folder });
  t.equal(ran.code, 3, ran.err);
  const { address } = await serve(t, shop.folder);
  const links = readLinks(await (await fetch(`${address}report.html`)).text());
  const logs = new Map<string, string>();
  for (const link of new Set(links)) {
    const log = await fetch(`${address}${link}`);
    t.equal(log.headers.get("content-type"), "text/plain; charset=utf-8");
    if (log.status === 200) logs.set(link, await log.text());
    else t.match([link, log.status], ["logs/trials/silent", 404]);
  }
  t.strictSame(Object.fromEntries(logs), {
    "logs/make/command": "== stdout of command\nmade\n",
    "logs/trials/good": "== stdout of good\n<b>fine</b>\n",
    "logs/trials/bad%2B1": [
      "== stdout of bad+1\nto stdout\n",
      "== stderr of bad+1\nto stderr\n",
      "== stdout of bad+1, attempt 1\nto stdout\n",
      "== stderr of bad+1, attempt 1\nto stderr\n",
    ].join("\n"),
  });
  const run = join(shop.folder, "runs/slow");
  symlinkSync(secret, join(run, "trials/logs/link.out"));
  execFileSync("mkfifo", [join(run, "trials/logs/pipe.out")]);
  for (const path of [
    "trials/link",
    "trials/pipe",
    "trials/..%2f..%2f..%2f..%2fsecret",
    "trials/../../../../secret",
    "..%2f../secret",
    "%2e%2e/%2e%2e/secret",
    "trials%2f..%2f..%2f..%2f../secret",
    "trials/good%00",
    "trials/%E0%A4%A",
    "trials/logs/good",
    "trials",
    "",
  ])
    t.match(await getRaw(address, `logs/${path}`), { status: 404, text: /^there is no such log/ }, path);
});

t.test("a page that is a file has no links", async (t) => {
  const { folder, finish } = writeJob(t);
  finish();
  await runMuster(["run", "-i", "local", "-q", "job.yaml"], { cwd: folder });
  await runMuster(["report", "slow", "--html", "page.html"], { cwd: folder });
  const page = readFileSync(join(folder, "page.html"), "utf8");
  t.match(page, "chunk one");
  t.strictSame(readLinks(page), []);
});
