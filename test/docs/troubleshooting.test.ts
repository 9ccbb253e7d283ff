import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";
import { readPage } from "./pages.js";

const SOURCES = ["cli", "report", "playbooks", "executor", "fleet", "schemas", "templates", "test/situations"];

/** Returns the text of all files that hold messages, and of the messages of common situations. */
function readSources(): string {
  return SOURCES.flatMap((folder) =>
    readdirSync(join(projectRoot(), folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(?:ts|py|md)$/.test(name))
      .map((name) => readFileSync(join(projectRoot(), folder, name), "utf8")),
  ).join("\n");
}

t.test("every message of docs/troubleshooting.md is one of muster", async (t) => {
  const { text } = readPage("docs/troubleshooting.md");
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  const sources = readSources();
  for (const row of rows) {
    const [messages = ""] = row.split(" | ");
    for (const [, message] of messages.matchAll(/`([^`]+)`/g))
      for (const part of message!.split("...").map((one) => one.trim()))
        if (!sources.includes(part)) t.fail(`no message has "${part}": ${message}`);
  }
  t.ok(rows.length > 40, `${rows.length} messages`);
});
