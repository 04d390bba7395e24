import test from "ava";
import { prepare, runToEnd } from "./daemon.js";

test("a daemon that does not end is killed, and what it said is shown", async (t) => {
  const folder = await prepare(t, { config: "routes: []\n" });
  const wrapper = ["sh", "-c", "echo hung as $$; exec sleep 600"];
  const error = await t.throwsAsync(runToEnd(t, folder, { wrapper }, 5000));
  const [, pid = ""] =
    /^the daemon did not end within 5000 ms:\nhung as (\d+)$/m.exec(error.message) ?? [];
  t.not(pid, "", error.message);
  const lives = () => {
    try {
      return process.kill(Number(pid), 0);
    } catch {
      return false;
    }
  };
  for (let n = 0; n < 500 && lives(); n++) await new Promise((done) => setTimeout(done, 20));
  t.false(lives());
});
