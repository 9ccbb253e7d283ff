import { join } from "node:path";
import t from "tap";
import { listSshHosts } from "../../../fleet/discovery/sshhosts.js";

t.test("names are read as ssh reads them: with Include, without patterns, comments and negations", async (t) => {
  const folder = t.testdir({
    config: [
      "# Host commented",
      "Include conf.d/*.conf missing",
      "Host rig1 rig2 # and others",
      "  HostName 10.0.0.1",
      'host="quoted name" web?',
      "HOST\tzeus",
      "Host * !rig1 rig*",
      "Match host other",
      "Host rig1",
    ].join("\n"),
    "conf.d": { "b.conf": "Host b", "a.conf": "Host a\nInclude config", "other.txt": "Host unread" },
  });
  t.same(listSshHosts(join(folder, "config")), ["a", "b", "rig1", "rig2", "quoted name", "zeus"]);
});

t.test("files that include each other end, and a missing file is empty", async (t) => {
  const folder = t.testdir({ config: "Include config\nHost one" });
  t.same(listSshHosts(join(folder, "config")), ["one"]);
  t.same(listSshHosts(join(folder, "none")), []);
});
