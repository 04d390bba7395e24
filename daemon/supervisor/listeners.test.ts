import test from "ava";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ListenerOptions, PortSharing } from "../../runtime/addon.js";
import { loadAddon } from "../../runtime/addon-loader.js";
import { parseListenArguments } from "../config/address.js";
import { closeListeners, inheritedSockets, ListenError, openListeners } from "./listeners.js";

const folder = mkdtempSync(join(tmpdir(), "pinion-listen-"));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const nothing = { fds: [], names: [] };
const listen = (text: string) => parseListenArguments([text], folder);

/** An addon whose sockets are open files; `fail` says which binds fail. */
function fakeAddon(
  fail: (options: ListenerOptions, sharing: PortSharing) => string | undefined = () => undefined,
) {
  const calls: { options: ListenerOptions; sharing: PortSharing; fd: number }[] = [];
  return {
    calls,
    bind(options: ListenerOptions, sharing: PortSharing) {
      const code = fail(options, sharing);
      if (code !== undefined) throw Object.assign(new Error(code), { code });
      if (options.kind === "unix") writeFileSync(options.path ?? "", "");
      const fd = openSync("/dev/null", "r");
      calls.push({ options, sharing, fd });
      return {
        fd,
        address: options.host ?? "",
        port: options.kind === "tcp" ? options.port || 4321 : 0,
      };
    },
  };
}

const isOpen = (fd: number) => existsSync(`/proc/self/fd/${fd}`);

test.serial("one shard: the one socket is exclusive", async (t) => {
  const addon = fakeAddon();
  const [listener] = await openListeners(addon, listen("127.0.0.1:0"), 1, nothing);
  t.is(listener?.url, "http://127.0.0.1:4321");
  t.deepEqual(
    addon.calls.map(({ sharing }) => sharing),
    ["alone"],
  );
  closeListeners(listener === undefined ? [] : [listener]);
});

test.serial(
  "several shards: the first has the port for itself, then the others join it",
  async (t) => {
    const addon = fakeAddon();
    const listeners = await openListeners(addon, listen("127.0.0.1:0"), 3, nothing);
    t.deepEqual(
      addon.calls.map(({ options, sharing }) => [options.port, sharing]),
      [
        [0, "first"],
        [4321, "further"],
        [4321, "further"],
      ],
    );
    t.is(listeners[0]?.fds.length, 3);
    closeListeners(listeners);
  },
);

test.serial("a port that is taken is an error with a remedy, and nothing stays open", async (t) => {
  const addon = fakeAddon(({ port }) => (port === 81 ? "EADDRINUSE" : undefined));
  const error = await t.throwsAsync(
    openListeners(addon, [...listen(":80"), ...listen(":81")], 2, nothing),
    { instanceOf: ListenError },
  );
  t.regex(
    error.message,
    /^cannot listen on :81: another program has the port; stop it .* or choose another port$/,
  );
  t.false(addon.calls.some(({ fd }) => isOpen(fd)));
});

test.serial("all addresses without IPv6 are those of IPv4", async (t) => {
  const addon = fakeAddon(({ host }) => (host === "::" ? "EAFNOSUPPORT" : undefined));
  const listeners = await openListeners(addon, listen(":80"), 2, nothing);
  t.is(listeners[0]?.url, "http://0.0.0.0:80");
  closeListeners(listeners);
});

test.serial("an IPv6 address that was asked for is not replaced", async (t) => {
  const addon = fakeAddon(() => "EAFNOSUPPORT");
  await t.throwsAsync(openListeners(addon, listen("[::1]:80"), 1, nothing), { message: /no IPv6/ });
});

test.serial("a Unix socket is shared, and removed in the end", async (t) => {
  const path = join(folder, "a.sock");
  const addon = fakeAddon();
  const listeners = await openListeners(addon, listen(`unix:${path}`), 2, nothing);
  t.deepEqual(
    addon.calls.map(({ options }) => options.kind),
    ["unix", "fd"],
  );
  closeListeners(listeners);
  t.false(existsSync(path));
});

test.serial("a successor's Unix socket is not removed", async (t) => {
  const path = join(folder, "b.sock");
  const listeners = await openListeners(fakeAddon(), listen(`unix:${path}`), 1, nothing);
  const held = openSync(path, "r"); // keeps the inode from being used again
  rmSync(path);
  writeFileSync(path, "");
  closeListeners(listeners);
  closeSync(held);
  t.true(existsSync(path));
});

test.serial("a stale Unix socket is replaced, a live one is refused", async (t) => {
  const path = join(folder, "c.sock");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await t.throwsAsync(openListeners(fakeAddon(), listen(`unix:${path}`), 1, nothing), {
    message: /another program listens there/,
  });
  t.true(statSync(path).isSocket());
  server.close();
});

test.serial("a file in a Unix socket's place is not touched", async (t) => {
  const path = join(folder, "d.sock");
  writeFileSync(path, "precious");
  await t.throwsAsync(openListeners(fakeAddon(), listen(`unix:${path}`), 1, nothing), {
    message: /a file that is no socket/,
  });
  t.is(statSync(path).size, 8);
});

test.serial("an inherited socket is named by the address that it is bound to", async (t) => {
  const addon = loadAddon();
  for (const text of ["127.0.0.2:0", `unix:${join(folder, "e.sock")}`]) {
    const [own] = await openListeners(addon, listen(text), 1, nothing);
    const [inherited] = await openListeners(addon, listen(`fd:${own?.fds[0]}`), 1, nothing);
    t.is(inherited?.url, own?.url);
    t.regex(inherited?.url ?? "", /^(http:\/\/127\.0\.0\.2:[1-9]\d*|unix:\/.*\/e\.sock)$/);
    closeListeners(inherited === undefined ? [] : [inherited]);
    own?.remove(); // its descriptor was handed over
  }
});

test("inherited sockets are for the process that they name", (t) => {
  const environment = { LISTEN_PID: "10", LISTEN_FDS: "2", LISTEN_FDNAMES: "web:admin" };
  t.deepEqual(inheritedSockets(environment, 10), { fds: [3, 4], names: ["web", "admin"] });
  t.deepEqual(inheritedSockets(environment, 11), nothing);
  t.deepEqual(inheritedSockets({}, 11), nothing);
  t.deepEqual(inheritedSockets({ LISTEN_PID: "10", LISTEN_FDS: "x" }, 10), nothing);
});

test.serial("systemd's sockets are picked by name", async (t) => {
  const addon = fakeAddon();
  const [web, admin] = [openSync("/dev/null", "r"), openSync("/dev/null", "r")];
  const inherited = { fds: [web, admin], names: ["web", "admin"] };
  const listeners = await openListeners(addon, listen("systemd:admin"), 1, inherited);
  t.deepEqual(
    addon.calls.map(({ options }) => options.fd),
    [admin],
  );
  t.false(isOpen(admin) && !addon.calls.some(({ fd }) => fd === admin), "only the duplicate stays");
  closeListeners(listeners);
  closeSync(web);
  await t.throwsAsync(openListeners(addon, listen("systemd:x"), 1, inherited), {
    message: /there are: web, admin/,
  });
  await t.throwsAsync(openListeners(addon, listen("systemd"), 1, nothing), {
    message: /start the daemon by its \.socket unit/,
  });
});
