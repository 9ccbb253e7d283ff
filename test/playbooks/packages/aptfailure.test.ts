import t from "tap";
import { explainAptFailure } from "../../../playbooks/packages/aptfailure.js";

/** What apt and dpkg 1.8 to 2.6 print, and what it means. */
const TABLE: [output: string, message: RegExp, more?: object][] = [
  ["E: Unable to locate package foo\n", /^there is no package foo$/, { isStale: true }],
  ["E: Package 'foo' has no installation candidate\n", /^no source has the package foo$/, { isStale: true }],
  ["E: Version '9' for 'htop' was not found\n", /^no source has version 9 of htop$/, { isStale: true }],
  [
    "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 977 (unattended-upgr)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?\n",
    /^another package manager is at work: unattended-upgr \(process 977\)$/,
    { isLocked: true },
  ],
  [
    "E: Could not get lock /var/lib/apt/lists/lock - open (11: Resource temporarily unavailable)\nE: Unable to lock directory /var/lib/apt/lists/\n",
    /^another package manager is at work$/,
    { isLocked: true },
  ],
  ["E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.", /interrupted/],
  ["E: You don't have enough free space in /var/cache/apt/archives/.", /^the disk is full \(\/var\/cache/],
  [
    "dpkg: error processing archive x.deb (--unpack):\n cannot copy extracted data: failed to write (No space left on device)\n",
    /^the disk is full$/,
  ],
  ["W: GPG error: http://x InRelease: The following signatures were invalid: EXPKEYSIG 0A B\n", /key 0A .*expired/],
  ["W: GPG error: http://x InRelease: couldn't be verified: NO_PUBKEY 9386B48A1A693C5C\n", /the key 9386B48A1A693C5C/],
  ["E: Held packages were changed and -y was used without --allow-change-held-packages.", /^a held package/],
  ["W: Failed to fetch http://x/InRelease  Temporary failure resolving 'x'\n", /^the node cannot resolve x$/],
  ["E: Failed to fetch http://x/a.deb  404  Not Found\n", /cannot fetch from http:\/\/x\/a\.deb/, { isStale: true }],
  ["E: Unable to correct problems, you have held broken packages.", /cannot be installed together/],
  [
    "E: Error, pkgProblemResolver::Resolve generated breaks, this may be caused by held packages.",
    /cannot be installed together/,
  ],
  ["Reading...\nE: something new\nlast line", /^E: something new$/],
  ["", /^it said nothing$/],
];

t.test("what apt prints before it fails", async (t) => {
  for (const [output, message, more = {}] of TABLE) {
    const failure = explainAptFailure(output);
    t.match(failure.message, message, output);
    t.match(failure, more);
  }
});
