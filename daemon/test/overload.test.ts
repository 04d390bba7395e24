// More than the handlers can do: some are served, the rest is told so at once, and nobody's work is done for nothing.
import test from "ava";
import { startDaemon } from "./support/daemon.js";
import { fetchRaw, Wire } from "./support/wire.js";

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: test\r\n\r\n`;

const FILES = {
  "busy.ts": `
    let calls = 0;
    export const GET = (request) => {
      if (request.query.get("calls") !== null) return String(calls);
      calls++;
      for (const end = performance.now() + 10; performance.now() < end; );
      return "done";
    };`,
};

test.serial(
  "a standing queue is refused with 503 and Retry-After, and no call is lost",
  async (t) => {
    const daemon = await startDaemon(t, {
      config: `
routes:
  - { path: /busy, handler: ./busy.ts }
admission: { target: 50ms, interval: 200ms }
`,
      files: FILES,
    });
    let served = 0;
    let refused = 0;
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const wire = await Wire.connect(daemon.port);
        for (let i = 0; i < 10; i++) {
          wire.send(get("/busy"));
          const answer = await wire.answer();
          if (answer.status === 200) {
            served++;
            continue;
          }
          t.is(answer.status, 503);
          t.is(answer.fields.get("retry-after"), "1");
          refused++;
        }
        wire.close();
      }),
    );
    t.true(refused > 0, `${served} served`);
    t.true(served > 0);
    t.is((await fetchRaw(daemon.port, get("/busy?calls"))).body, String(served));
  },
);

test.serial("a burst is no overload: all of it is served", async (t) => {
  const daemon = await startDaemon(t, {
    config: `
routes:
  - { path: /busy, handler: ./busy.ts }
admission: { target: 1ms, interval: 30s }
`,
    files: FILES,
  });
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => fetchRaw(daemon.port, get("/busy"))),
  );
  t.deepEqual(
    answers.filter(({ status }) => status !== 200),
    [],
  );
});
