// Pages that handlers return again and again are kept and sent from where they lie: whichever way they leave, they are
// right byte for byte.
import test, { type ExecutionContext } from "ava";
import { SMALL, startDaemon, type Daemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

// Constant pages, by number; /turn is one that changes when it is told to, and keeps its length.
const PAGE = `
  export const page = (number) => {
    const bytes = 4096 + (number * 1777) % 28_000;
    let text = "";
    for (let line = 0; text.length < bytes; line++) text += "page " + number + ", line " + line + ";\\n";
    return text.slice(0, bytes);
  };`;
const FILES = {
  "page.ts": PAGE,
  "pages.ts": `import { reply } from "pinion"; import { page } from "./page.ts";
    const pages = Array.from({ length: 64 }, (_, number) => page(number));
    export default (request) => {
      const text = pages[request.params.number];
      if (!request.query.has("fields")) return text;
      return reply(203, text, { "Content-Type": "text/html; charset=utf-8", "X-Page": "v".repeat(300) });
    };`,
  "turn.ts": `
    const text = (turn) => ("turn " + String(turn).padStart(6, "0") + ";").repeat(1000);
    let turn = 0;
    let now = text(turn);
    export const GET = () => now;
    export const POST = () => { now = text(++turn); return String(turn); };`,
  "exit.ts": `export default () => process.exit(7);`,
};
const CONFIG = `
routes:
  - { path: "/pages/{number:int}", handler: ./pages.ts, methods: [GET, HEAD] }
  - { path: /turn, handler: ./turn.ts }
  - { path: /exit, handler: ./exit.ts }
`;

function page(number: number): string {
  const bytes = 4096 + ((number * 1777) % 28_000);
  let text = "";
  for (let line = 0; text.length < bytes; line++) text += `page ${number}, line ${line};\n`;
  return text.slice(0, bytes);
}

const get = (target: string, method = "GET", version = "1.1"): string =>
  `${method} ${target} HTTP/${version}\r\nHost: test\r\n\r\n`;

const start = (t: ExecutionContext): Promise<Daemon> =>
  startDaemon(t, { config: CONFIG, files: FILES });

// One request in one of the ways that make a head of its own; what is wrong with its answer, or "".
async function ask(wire: Wire, number: number, way: number): Promise<string> {
  const method = way === 1 ? "HEAD" : "GET";
  const fields = way === 2;
  wire.send(get(`/pages/${number}${fields ? "?fields" : ""}`, method));
  const answer = await wire.answer(method);
  const text = page(number);
  if (answer.status !== (fields ? 203 : 200)) return `page ${number}: status ${answer.status}`;
  if (answer.fields.get("content-length") !== String(text.length)) return `page ${number}: length`;
  if (fields && answer.fields.get("x-page") !== "v".repeat(300)) return `page ${number}: fields`;
  if (method === "GET" && answer.body !== text) return `page ${number}: not its text`;
  return "";
}

test.serial("pages that come back, and others in their place", async (t) => {
  const daemon = await start(t);
  const wires = await Promise.all(Array.from({ length: 3 }, () => Wire.connect(daemon.port)));
  // A few are asked for often and all others now and then; which these are moves on.
  const wrong = await Promise.all(
    wires.map(async (wire, client) => {
      for (let i = 0; i < 500; i++) {
        const often = Math.floor(i / 100) * 7 + ((i * (client + 1)) % 5);
        const found = await ask(wire, i % 11 === 0 ? (i * 7) % 64 : often, i % 7);
        if (found !== "") return found;
      }
      return "";
    }),
  );
  t.deepEqual(wrong, ["", "", ""]);
  for (const wire of wires) wire.close();
  for (let i = 0; i < 3; i++) {
    const old = await fetchRaw(daemon.port, get("/pages/30", "GET", "1.0"));
    t.is(old.fields.get("connection"), "close");
    t.true(old.body === page(30));
  }
  t.is(await daemon.stop(), 0);
});

test.serial("pipelined: each request gets its own page, in order", async (t) => {
  const daemon = await start(t);
  const wire = await Wire.connect(daemon.port);
  for (let round = 0; round < 30; round++) {
    const numbers = Array.from({ length: 12 }, (_, i) => (i * round) % 6);
    wire.send(numbers.map((number) => get(`/pages/${number}`)).join(""));
    for (const number of numbers) t.true((await wire.answer()).body === page(number));
  }
  wire.close();
  t.is(await daemon.stop(), 0);
});

test.serial("a page that changes, at the same length, is the new one from then on", async (t) => {
  const daemon = await start(t);
  const wire = await Wire.connect(daemon.port);
  for (let turn = 0; turn < 6; turn++) {
    const text = `turn ${String(turn).padStart(6, "0")};`.repeat(1000);
    for (let i = 0; i < (turn % 2 === 0 ? 100 : 3); i++) {
      wire.send(get("/turn"));
      t.true((await wire.answer()).body === text);
    }
    wire.send(get("/turn", "POST"));
    t.is((await wire.answer()).body, String(turn + 1));
  }
  wire.close();
  t.is(await daemon.stop(), 0);
});

test.serial(
  "slow readers get what they have asked for, whatever takes its place and whoever dies",
  async (t) => {
    const daemon = await start(t);
    const numbers = Array.from({ length: 40 }, (_, i) => 16 + (i % 4));
    const slow = await Promise.all(Array.from({ length: 6 }, () => Wire.connect(daemon.port)));
    for (const wire of slow) {
      wire.socket.pause();
      wire.send(numbers.map((number) => get(`/pages/${number}`)).join(""));
    }
    const others = async (from: number): Promise<string> => {
      const wire = await Wire.connect(daemon.port);
      for (let i = 0; i < 200; i++) {
        const found = await ask(wire, from + (Math.floor(i / 3) % 12), i % 3);
        if (found !== "") return found;
      }
      wire.close();
      return "";
    };
    t.is(await others(20), "");
    t.is((await fetchRaw(daemon.port, get("/exit"))).status, 502);
    t.is(await others(40), "");
    for (const wire of slow) {
      wire.socket.resume();
      for (const number of numbers) {
        // Of two slots and so little memory whoever stalls gives way to others.
        const answer = await wire.answer().catch(() => null);
        if (SMALL && answer?.complete !== true) break;
        if (answer === null) return t.fail("an answer is missing");
        t.is(answer.status, 200);
        t.true(answer.body === page(number), `page ${number}`);
      }
      wire.close();
    }
    t.is(await daemon.stop(), 0);
  },
);
