import t from "tap";
import { ConnectionError } from "../../../fleet/connectionerror.js";
import { LoginConnections } from "../../../fleet/slurm/loginconnections.js";
import { FakeLogin } from "./fakelogin.js";

/** Log-ins that take a moment, as real ones do. */
function createLogins() {
  const dialed: FakeLogin[] = [];
  let dialing = 0;
  let mostAtOnce = 0;
  const logins = new LoginConnections(async () => {
    mostAtOnce = Math.max(mostAtOnce, ++dialing);
    await new Promise((resolve) => setTimeout(resolve, 5));
    dialing--;
    const connection = new FakeLogin();
    dialed.push(connection);
    return connection;
  });
  return { logins, dialed, mostAtOnce: () => mostAtOnce };
}

t.test("channels that are reserved at once share as few connections as they can", async (t) => {
  const { logins, dialed, mostAtOnce } = createLogins();
  const channels = await Promise.all(Array.from({ length: 20 }, () => logins.reserve()));
  t.equal(dialed.length, 3, "8 a connection");
  t.equal(mostAtOnce(), 1, "log-ins are made one after another");
  for (const login of dialed) t.ok(channels.filter(({ connection }) => connection === login).length <= 8);
});

t.test("a released place is used again, and only once", async (t) => {
  const { logins, dialed } = createLogins();
  const channels = await Promise.all(Array.from({ length: 8 }, () => logins.reserve()));
  channels[0]!.release();
  channels[0]!.release();
  await logins.reserve();
  t.equal(dialed.length, 1);
  await logins.reserve();
  t.equal(dialed.length, 2);
});

t.test("commands need no place of their own", async (t) => {
  const { logins, dialed } = createLogins();
  const [first, second] = await Promise.all([logins.forCommand(), logins.forCommand()]);
  t.equal(first, second);
  await Promise.all(Array.from({ length: 8 }, () => logins.reserve()));
  t.equal(await logins.forCommand(), first);
  t.equal(dialed.length, 1);
});

t.test("a lost connection is not used again", async (t) => {
  const { logins, dialed } = createLogins();
  const { release } = await logins.reserve();
  dialed[0]!.lose("reset");
  await dialed[0]!.closed;
  t.equal((await logins.reserve()).connection, dialed[1]);
  release();
  t.equal(await logins.forCommand(), dialed[1]);
});

t.test("a log-in that fails rejects for those who wait, and the next one is tried", async (t) => {
  let fails = true;
  const logins = new LoginConnections(async () => {
    if (fails) throw new ConnectionError("UNREACHABLE", { node: "hpc", step: "connect" }, "no route");
    return new FakeLogin();
  });
  const outcomes = await Promise.allSettled([logins.reserve(), logins.reserve(), logins.forCommand()]);
  t.ok(outcomes.every(({ status }) => status === "rejected"));
  fails = false;
  t.ok(await logins.reserve());
});

t.test("closing leaves nothing open, also not a log-in that is under way", async (t) => {
  const { logins, dialed } = createLogins();
  await logins.forCommand();
  await Promise.all(Array.from({ length: 8 }, () => logins.reserve()));
  const late = logins.reserve();
  await logins.close();
  await t.rejects(late, { code: "LOST" });
  t.strictSame(
    dialed.map(({ isClosed }) => isClosed),
    [true, true],
  );
  await t.rejects(logins.forCommand(), { code: "LOST" });
});
