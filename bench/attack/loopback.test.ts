import { spawnSync } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { fileURLToPath } from "node:url";
import test from "ava";
import { isLoopback, parseTarget, urlOf } from "./loopback.js";
import { open } from "./sockets.js";

const MAIN = fileURLToPath(new URL("./main.js", import.meta.url));

const REFUSED = [
  "http://example.org:80",
  "http://localhost:80", // a name: it means what a file says
  "http://127.0.0.1.example.org:80",
  "http://127.0.0.1@192.0.2.1:80",
  "http://user@127.0.0.1:80",
  "http://0.0.0.0:80",
  "http://0:80",
  "http://127.1:80",
  "http://2130706433:80",
  "http://3221225985:80",
  "http://0x7f000001:80",
  "http://0x7f.0.0.1:80",
  "http://0177.0.0.1:80",
  "http://127.0.0.01:80",
  "http://127.0.0.256:80",
  "http://128.0.0.1:80",
  "http://192.0.2.1:80",
  "http://10.0.0.1:80",
  "http://169.254.169.254:80",
  "http://255.255.255.255:80",
  "http://[::]:80",
  "http://[::2]:80",
  "http://[0:0:0:0:0:0:0:1]:80",
  "http://[::ffff:127.0.0.1]:80",
  "http://[::ffff:192.0.2.1]:80",
  "http://[::ffff:7f00:1]:80",
  "http://[fe80::1%lo]:80",
  "http://[::1%lo]:80",
  "http://[2001:db8::1]:80",
  "http://[127.0.0.1]:80",
  "http://::1:80",
  "http://\u2460\u2461\u2466.0.0.1:80",
  "http://127\u30020\u30020\u30021:80",
  "https://127.0.0.1:443",
  "ftp://127.0.0.1:21",
  "//127.0.0.1:80",
  "http://127.0.0.1",
  "http://127.0.0.1:0",
  "http://127.0.0.1:65536",
  "http://127.0.0.1:80:80",
  "http://127.0.0.1:80/path",
  "http://127.0.0.1:80#@192.0.2.1",
  "http://127.0.0.1:80\n",
  " http://127.0.0.1:80",
  "127.0.0.1",
  "",
];

for (const text of REFUSED) {
  test(`refused: ${JSON.stringify(text)}`, (t) => {
    t.throws(() => parseTarget(text), { instanceOf: RangeError, message: /only loopback/ });
  });
}

test("taken: dotted loopback addresses and [::1], with a port", (t) => {
  t.deepEqual(parseTarget("http://127.0.0.1:8080"), { host: "127.0.0.1", port: 8080 });
  t.deepEqual(parseTarget("http://127.255.0.9:1/"), { host: "127.255.0.9", port: 1 });
  t.deepEqual(parseTarget("127.0.0.1:65535"), { host: "127.0.0.1", port: 65535 });
  t.deepEqual(parseTarget("http://[::1]:8080"), { host: "::1", port: 8080 });
  t.is(urlOf({ host: "::1", port: 8080 }), "http://[::1]:8080");
});

test("no address of this machine's network is loopback", (t) => {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  for (const { address, internal } of addresses) t.true(internal || !isLoopback(address), address);
});

test("a connection to anything else is refused where it would be opened", (t) => {
  const target = { host: "192.0.2.1", port: 80 };
  t.throws(() => open(target, { as: "attacker" }), { message: /192\.0\.2\.1 is not loopback/ });
});

test("every program refuses by itself, whoever started it, and connects to nothing", async (t) => {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((listening) => server.listen(0, "0.0.0.0", () => listening()));
  const { port } = server.address() as AddressInfo;
  const url = `http://0.0.0.0:${port}`;
  const run = (file: string, ...words: string[]) =>
    spawnSync(process.execPath, [file, ...words], { encoding: "utf8", timeout: 20_000 });
  const main = run(MAIN, "--target", url, "--pid", String(process.pid));
  t.is(main.status, 2);
  t.regex(main.stderr, /only loopback is attacked/);
  for (const name of ["attacker", "good-client", "overload-client"]) {
    const file = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
    const child = run(file, JSON.stringify({ url, attack: "slow-heads", seconds: 1 }));
    t.not(child.status, 0, name);
    t.regex(child.stderr, /only loopback is attacked/, name);
  }
  await new Promise((closed) => server.close(closed));
  t.is(connections, 0);
});
