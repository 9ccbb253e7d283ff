import t from "tap";
import type { WantedPackage } from "../../../fleet/nodestate.js";
import { aptHoldCommands, aptInstallCommand, listUnwantedRemovals } from "../../../playbooks/packages/aptcommands.js";
import { listPackageChanges, parsePackageState } from "../../../playbooks/packages/packagestate.js";

const DEBIAN = parsePackageState(`manager apt
arch amd64
package htop amd64 installed 3.2.2-2
package libc6 i386 installed 2.36-9
package libc6 amd64 installed 2.36-9+deb12u4
package docs all installed 1
package gone amd64 config-files 1.0
package torn amd64 half-configured 1.0
hold htop
`);
const FEDORA = parsePackageState(`manager dnf
arch x86_64
package htop x86_64 installed 3.3.0-1.fc40
package data noarch installed 1:2.0-1
hold htop
`);

t.test("what packages differ, and how", async (t) => {
  const table: [state: typeof DEBIAN, name: string, want: WantedPackage, difference: string | undefined][] = [
    [DEBIAN, "htop", "present", undefined],
    [DEBIAN, "htop", { version: "3.2.2-2", hold: true }, undefined],
    [DEBIAN, "htop", { version: "3.3", hold: true }, "3.2.2-2 -> 3.3"],
    [DEBIAN, "htop", { hold: false }, "3.2.2-2, held -> present, not held"],
    [DEBIAN, "htop", "absent", "3.2.2-2 -> absent"],
    [DEBIAN, "libc6", { version: "2.36-9+deb12u4" }, undefined],
    [DEBIAN, "libc6:i386", { version: "2.36-9" }, undefined],
    [DEBIAN, "docs", "present", undefined],
    [DEBIAN, "gone", "absent", undefined],
    [DEBIAN, "gone", "present", "absent -> present"],
    [DEBIAN, "torn", "present", "half-configured -> present"],
    [DEBIAN, "constructor", "absent", undefined],
    [FEDORA, "htop", { version: "3.3.0-1.fc40", hold: true }, undefined],
    [FEDORA, "data", { version: "1:2.0-1" }, undefined],
    [FEDORA, "other", "present", "absent -> present"],
  ];
  for (const [state, name, want, difference] of table) {
    const [change] = listPackageChanges({ [name]: want }, state);
    t.equal(change && `${change.have} -> ${change.want}`, difference, `${name} ${JSON.stringify(want)}`);
  }
});

t.test("one transaction for all packages", async (t) => {
  const words = (wanted: Record<string, WantedPackage>) => {
    const command = aptInstallCommand(listPackageChanges(wanted, DEBIAN));
    return command.slice(command.indexOf("apt-get")).filter((word) => !/^(-[yqo]|DPkg|Dpkg)/.test(word));
  };
  t.same(words({ jq: "present" }), ["apt-get", "install", "jq"]);
  t.same(
    words({ jq: "present", docs: "absent" }),
    ["apt-get", "--allow-change-held-packages", "install", "jq", "docs-"],
    "what is said to be absent goes even if it is held",
  );
  t.same(words({ htop: { version: "3.3", hold: true } }), [
    ...["apt-get", "--allow-downgrades", "--allow-change-held-packages", "install", "htop=3.3"],
  ]);
  t.same(words({ htop: { version: "3.3" } }), ["apt-get", "--allow-downgrades", "install", "htop=3.3"]);
  const [again] = aptHoldCommands(listPackageChanges({ htop: { version: "3.3", hold: true } }, DEBIAN));
  t.same(again?.slice(-3), ["apt-mark", "hold", "htop"], "apt ends the hold of a package that it changes");
  const holds = aptHoldCommands(listPackageChanges({ htop: { hold: false }, jq: { hold: true } }, DEBIAN));
  t.same(
    holds.map((command) => command.slice(-3)),
    [
      ["apt-mark", "hold", "jq"],
      ["apt-mark", "unhold", "htop"],
    ],
  );
});

t.test("packages that would go unasked are found in a simulation", async (t) => {
  const changes = listPackageChanges({ docs: "absent", jq: "present" }, DEBIAN);
  const simulation = "Inst jq (1.6 stable [amd64])\nRemv docs [1]\nRemv reader:amd64 [2]\nPurg old [1]\nConf jq\n";
  t.same(listUnwantedRemovals(simulation, changes), ["reader", "old"]);
});
