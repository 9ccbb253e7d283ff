import ssh2 from "ssh2";
import t from "tap";
import { chooseAlgorithms } from "../../fleet/ssh/algorithms.js";

const WHERE = { node: "rig", step: "connect" };

t.test("a type of recorded keys is requested first", async (t) => {
  const { serverHostKey } = chooseAlgorithms({}, ["ssh-rsa"], WHERE);
  t.same(serverHostKey, [
    "rsa-sha2-512",
    "rsa-sha2-256",
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
  ]);
  t.equal((chooseAlgorithms({}, [], WHERE).serverHostKey as string[])[0], "ssh-ed25519");
});

t.test("nothing is offered that ssh's configuration excludes", async (t) => {
  const allowed = {
    hostKey: ["ssh-ed25519-cert-v01@openssh.com", "rsa-sha2-256", "ssh-ed25519", "ssh-rsa"],
    kex: ["sntrup761x25519-sha512", "diffie-hellman-group16-sha512", "curve25519-sha256"],
    cipher: ["chacha20-poly1305@openssh.com", "aes128-gcm@openssh.com", "3des-cbc"],
    mac: ["umac-64-etm@openssh.com", "hmac-sha2-256"],
  };
  t.same(chooseAlgorithms(allowed, ["ssh-rsa"], WHERE), {
    serverHostKey: ["rsa-sha2-256", "ssh-rsa", "ssh-ed25519"],
    kex: ["curve25519-sha256", "diffie-hellman-group16-sha512"],
    cipher: ["aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "3des-cbc"],
    hmac: ["hmac-sha2-256"],
  });
});

t.test("an option that leaves nothing is named", async (t) => {
  const cases = [
    ["hostKey", "ssh-ed25519-cert-v01@openssh.com", /HostKeyAlgorithms allows only ssh-ed25519-cert/],
    ["kex", "sntrup761x25519-sha512", /KexAlgorithms allows only/],
    ["cipher", "aes-none", /Ciphers allows only aes-none, and muster supports none/],
    ["mac", "umac-64@openssh.com", /MACs allows only/],
  ] as const;
  for (const [kind, name, message] of cases)
    t.throws(() => chooseAlgorithms({ [kind]: [name] }, [], WHERE), { code: "CONFIG", message, next: /^add one of/ });
});

t.test("ssh2 supports each name that may be offered", async (t) => {
  const all = (names: string) => names.split(" ");
  const allowed = {
    hostKey: all(
      "ssh-ed25519 ecdsa-sha2-nistp256 ecdsa-sha2-nistp384 ecdsa-sha2-nistp521 rsa-sha2-512 rsa-sha2-256 ssh-rsa ssh-dss",
    ),
    kex: all(
      "curve25519-sha256 curve25519-sha256@libssh.org ecdh-sha2-nistp256 ecdh-sha2-nistp384 ecdh-sha2-nistp521 diffie-hellman-group-exchange-sha256 diffie-hellman-group14-sha256 diffie-hellman-group15-sha512 diffie-hellman-group16-sha512 diffie-hellman-group17-sha512 diffie-hellman-group18-sha512 diffie-hellman-group-exchange-sha1 diffie-hellman-group14-sha1 diffie-hellman-group1-sha1",
    ),
    cipher: all(
      "aes128-gcm@openssh.com aes256-gcm@openssh.com aes128-ctr aes192-ctr aes256-ctr chacha20-poly1305@openssh.com aes256-cbc aes192-cbc aes128-cbc 3des-cbc",
    ),
    mac: all(
      "hmac-sha2-256-etm@openssh.com hmac-sha2-512-etm@openssh.com hmac-sha1-etm@openssh.com hmac-sha2-256 hmac-sha2-512 hmac-sha1 hmac-md5 hmac-sha1-96 hmac-md5-96",
    ),
  };
  const algorithms = chooseAlgorithms(allowed, [], WHERE);
  for (const names of Object.values(algorithms)) t.ok((names as string[]).length > 1);
  const client = new ssh2.Client();
  client.on("error", () => {});
  // ssh2 throws at once for a name that it does not know; the port is refused later.
  t.doesNotThrow(() => client.connect({ host: "127.0.0.1", port: 1, username: "nobody", algorithms }));
  client.destroy();
});
