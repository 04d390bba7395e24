import test from "ava";
import { formatAddress, parseAddress, parseListenArguments } from "./address.js";

const good: [text: string, address: ReturnType<typeof parseAddress>][] = [
  ["127.0.0.1:8080", { kind: "tcp", host: "127.0.0.1", port: 8080, anyHost: false }],
  ["localhost:0", { kind: "tcp", host: "127.0.0.1", port: 0, anyHost: false }],
  ["[::1]:8080", { kind: "tcp", host: "::1", port: 8080, anyHost: false }],
  [":8080", { kind: "tcp", host: "::", port: 8080, anyHost: true }],
  ["*:8080", { kind: "tcp", host: "::", port: 8080, anyHost: true }],
  ["unix:/run/a.sock", { kind: "unix", path: "/run/a.sock" }],
  ["unix:a.sock", { kind: "unix", path: "/folder/a.sock" }],
  ["fd:3", { kind: "fd", fd: 3 }],
  ["systemd", { kind: "systemd" }],
  ["systemd:web", { kind: "systemd", name: "web" }],
];

for (const [text, address] of good)
  test(`reads ${text}`, (t) => t.deepEqual(parseAddress(text, "/folder"), address));

const bad: [text: string, error: RegExp][] = [
  ["", /expected host:port/],
  ["8080", /127\.0\.0\.1:8080, or :8080 for all/],
  ["127.0.0.1", /the port is missing/],
  ["127.0.0.1:99999", /port 99999 is out of range/],
  ["::1", /in brackets/],
  ["::1:8080", /in quotes: "\[::1\]:8080"/],
  ["2001:db8::1:80", /in quotes: "\[2001:db8::1\]:80"/],
  ["[::1]", /expected|brackets/],
  ["[nonsense]:80", /no IPv6 address/],
  ["[fe80::1%eth0]:80", /leave the zone out/],
  ["example.org:80", /no IP address/],
  ["/run/a.sock", /unix:\/run\/a\.sock/],
  ["http://127.0.0.1:80/x", /leave out the scheme: 127\.0\.0\.1:80$/],
  ["unix:", /needs a path/],
  [`unix:/${"x".repeat(107)}`, /at most 107 bytes/],
  ["fd:2", /fd:N with N from 3/],
  ["fd:x", /fd:N with N from 3/],
  ["127.0.0.1:80:80", /expected host:port/],
];

for (const [text, error] of bad) {
  test(`refuses ${JSON.stringify(text.slice(0, 30))}`, (t) => {
    const result = parseAddress(text, "/folder");
    t.true("error" in result && error.test(result.error), JSON.stringify(result));
  });
}

test("addresses are shown as clients reach them", (t) => {
  t.is(
    formatAddress({ kind: "tcp", host: "::1", port: 0, anyHost: false }, 8080),
    "http://[::1]:8080",
  );
  t.is(formatAddress({ kind: "unix", path: "/a" }), "unix:/a");
});

test("addresses of the command line that clash are refused", (t) => {
  const message = (...texts: string[]) =>
    t.throws(() => parseListenArguments(texts, "/folder")).message;
  t.regex(message(":80", "[::]:80"), /--listen \[::\]:80 clashes with --listen :80/);
  t.regex(message("[::1]:80", "[0:0::1]:80"), /clashes/);
  t.regex(message("unix:a", "unix:/folder/a"), /clashes/);
  t.regex(message("systemd", "systemd:web"), /clashes/);
  t.regex(message("fd:3", "systemd"), /clashes/);
  t.is(parseListenArguments(["fd:3", "systemd:web", "unix:a"], "/folder").length, 3);
  t.regex(message("x"), /--listen x: expected host:port/);
  t.is(parseListenArguments([":80", ":81", ":0", ":0"], "/folder").length, 4);
});
