// Bounds for each client address, from the configuration to the wire.
import { connect, type Socket } from "node:net";
import test, { type ExecutionContext } from "ava";
import { startDaemon } from "./support/daemon.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;
const ROUTES = `
routes:
  - { path: /fixed, respond: { status: 200, type: text/plain, body: fixed } }
`;
// More than any limit here, in one write: a machine would have to stop for seconds for all to be in time.
const BURST = 20;

interface Said {
  statuses: number[];
  text: string;
  /** The server has ended the connection. */
  ended: boolean;
}

/** Sends it from that address; resolves with `count` answers, or what there is when the server ends the connection. */
function say(port: number, text: string, count: number, from = "127.0.0.1"): Promise<Said> {
  return new Promise((done, failed) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress: from, noDelay: true });
    let received = "";
    const timer = setTimeout(() => {
      socket.destroy();
      failed(new Error(`nothing more came: ${JSON.stringify(received)}`));
    }, 20_000);
    const over = (ended: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      const statuses = [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, code]) =>
        Number(code),
      );
      done({ statuses, text: received, ended });
    };
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
      if ((received.match(/HTTP\/1\.1 \d{3}/g) ?? []).length >= count) over(false);
    });
    socket.on("error", () => over(true));
    socket.on("end", () => over(true));
    socket.write(text, "latin1");
  });
}

/** Opens so many connections, and keeps each of them once its request has been answered. */
async function hold(
  t: ExecutionContext,
  port: number,
  count: number,
  text: string,
  from?: string,
): Promise<Socket[]> {
  const held = Array.from({ length: count }, () =>
    connect({ port, host: "127.0.0.1", localAddress: from }),
  );
  t.teardown(() => held.forEach((socket) => socket.destroy()));
  await Promise.all(
    held.map(
      (socket) =>
        new Promise((done) => {
          socket.once("data", done);
          socket.write(text);
        }),
    ),
  );
  return held;
}

const countOf = ({ statuses }: Said, status: number): number =>
  statuses.filter((each) => each === status).length;

test.serial(
  "limits.addressRate: 429 and Retry-After for who is too fast, nobody else",
  async (t) => {
    const daemon = await startDaemon(t, { config: `${ROUTES}limits: { addressRate: 2 }\n` });
    const burst = await say(daemon.port, get("/fixed").repeat(BURST), BURST, "127.0.0.2");
    t.is(burst.statuses[0], 200);
    t.true(countOf(burst, 429) > 0, String(burst.statuses));
    t.is(countOf(burst, 200) + countOf(burst, 429), BURST);
    t.is(burst.text.match(/\r\nRetry-After: 1\r\n/g)?.length, countOf(burst, 429));
    t.deepEqual((await say(daemon.port, get("/fixed"), 1, "127.0.0.3")).statuses, [200]);
  },
);

const REFUSED: Record<number, string> = {
  400: "GET /fixed HTTP/1.1\r\n\r\n",
  413: "POST /fixed HTTP/1.1\r\nHost: test\r\nContent-Length: 9999999\r\n\r\n",
  414: `GET /${"t".repeat(9000)} HTTP/1.1\r\nHost: test\r\n\r\n`,
  417: "GET /fixed HTTP/1.1\r\nHost: test\r\nExpect: wonders\r\n\r\n",
  431: `GET /fixed HTTP/1.1\r\nHost: test\r\n${"X: y\r\n".repeat(150)}\r\n`,
};

test.serial("limits.addressRate: what is refused counts as any request does", async (t) => {
  const daemon = await startDaemon(t, {
    config: `${ROUTES}limits: { addressRate: 1, arena: 16MiB }\n`,
  });
  let host = 10;
  for (const [status, bytes] of Object.entries(REFUSED)) {
    const from = `127.0.0.${host++}`;
    const all = await Promise.all(
      Array.from({ length: BURST }, () => say(daemon.port, bytes, 1, from)),
    );
    const statuses = all.flatMap((each) => each.statuses);
    const said = `${status}: ${statuses.join(", ")}`;
    t.true(statuses.includes(Number(status)), said);
    t.true(statuses.includes(429), said);
    t.true(
      statuses.every((each) => each === 429 || each === Number(status)),
      said,
    );
  }
});

test.serial("limits.addressConnections: further ones are closed, others' are not", async (t) => {
  const daemon = await startDaemon(t, { config: `${ROUTES}limits: { addressConnections: 3 }\n` });
  const held = await hold(t, daemon.port, 3, get("/fixed"), "127.0.0.2");
  const further = await say(daemon.port, get("/fixed"), 1, "127.0.0.2");
  t.deepEqual(further.statuses, []);
  t.true(further.ended);
  t.deepEqual((await say(daemon.port, get("/fixed"), 1, "127.0.0.3")).statuses, [200]);
  // One that goes makes room, as soon as the server has seen it go.
  held[0]?.destroy();
  let statuses: number[] = [];
  for (let i = 0; i < 200 && statuses.length === 0; i++) {
    ({ statuses } = await say(daemon.port, get("/fixed"), 1, "127.0.0.2"));
  }
  t.deepEqual(statuses, [200]);
});

const proxied = (address: string): string =>
  address.includes(":")
    ? `PROXY TCP6 ${address} 2001:db8::ffff 56324 443\r\n`
    : `PROXY TCP4 ${address} 192.0.2.255 56324 443\r\n`;

test.serial("the address that counts is the one that the PROXY protocol brings", async (t) => {
  const daemon = await startDaemon(t, {
    ownListen: true,
    config: `listen: { address: 127.0.0.1:0, proxyProtocol: true }${ROUTES}limits: { addressRate: 1, addressConnections: 2 }\n`,
  });
  const burst = (address: string): Promise<Said> =>
    say(daemon.port, proxied(address) + get("/fixed").repeat(BURST), BURST);
  // All come from one balancer; each client has its own rate.
  for (let client = 1; client <= 10; client++) {
    const said = await burst(`192.0.2.${client}`);
    t.is(said.statuses[0], 200, `client ${client}: ${said.statuses.join(", ")}`);
    t.true(countOf(said, 429) > 0, String(said.statuses));
  }
  // On a further connection the rate goes on where it was; an IPv6 client is its /64.
  const pairs = [
    ["192.0.2.", "192.0.2."],
    ["2001:db8:1:", "2001:db8:1:"],
  ];
  for (const [prefix = ""] of pairs) {
    let counted = false;
    for (let tries = 0; tries < 5 && !counted; tries++) {
      const v6 = prefix.includes(":");
      const first = v6 ? `${prefix}${tries}::1` : `${prefix}${100 + tries}`;
      const second = v6 ? `${prefix}${tries}::2` : first;
      await burst(first);
      counted = countOf(await burst(second), 200) === 0;
    }
    t.true(counted, prefix);
  }
  // Connections, too: the first two of the same client hold theirs.
  await hold(t, daemon.port, 2, proxied("192.0.2.200") + get("/fixed"));
  const further = await say(daemon.port, proxied("192.0.2.200") + get("/fixed"), 1);
  t.deepEqual([further.statuses, further.ended], [[], true]);
  t.deepEqual((await say(daemon.port, proxied("192.0.2.201") + get("/fixed"), 1)).statuses, [200]);
});
