import type { Command } from "commander";
import { addCommonOptions, type SetResult } from "./commonoptions.js";
import { formatHelpDetails } from "./helptext.js";
import { terminal as writers } from "./terminal.js";

/** Adds `muster bootstrap`. */
export function addBootstrap(muster: Command, setResult: SetResult): void {
  addCommonOptions(
    muster.command("bootstrap").argument("<hosts...>", "[USER@]HOST[:PORT], or nodes of the inventory"),
    ["limit"],
  )
    .summary("make machines that have only sshd nodes of the inventory")
    .description(
      "Logs in for the first time, with a password that is asked for or a given key; records the host key, authorizes a key of yours, sets what sudo the playbooks need, installs python3, adds the node to the inventory with its GPUs, and verifies it. What is there already is left alone. One host after the other; one that fails does not stop the others.",
    )
    .option("-k, --key <file>", "log in with this private key where yours are not accepted")
    .option("--public-key <file>", "authorize this key (default: the first one that muster logs in with)")
    .option("--fingerprint <sha256>", "the fingerprint that the host key must have; nothing is asked then")
    .option("--accept-new", "record a host key that is not known, without a question")
    .option("--name <name>", "the name of the node (default: that of the host)")
    .option("--playbooks <names>", "what it is for, separated by commas (default: those of the inventory)")
    .option("--no-sudo", "leave sudo as it is")
    .option("-y, --yes", "answer yes to every question but that for the host key")
    .addHelpText(
      "after",
      formatHelpDetails(
        [
          "muster bootstrap michael@192.168.3.120",
          "muster bootstrap rig1 rig2 rig3 --yes",
          "muster bootstrap root@10.0.0.4 -k cloud.pem --name gpu4",
          "muster bootstrap rig1 --yes --key boot.key --fingerprint SHA256:...",
        ],
        [
          ["0", "every machine is ready, and in sync"],
          ["2", "ready, with drift: run muster provision"],
          ["3", "some machines failed; the others are done"],
          ["64, 65", "wrong usage, a question without a terminal; an invalid file"],
          ["69", "no machine could be used"],
        ],
      ),
    )
    .action((hosts, options) =>
      setResult(import("./bootstrap.js").then(({ bootstrap }) => bootstrap(hosts, options, writers))),
    );
}
