import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import type { WriteLimits } from "./messages.js";
import { writeHint } from "./write-hint.js";

/** A project with folders `data`, which may be written to, and `other`. */
function project(t: ExecutionContext): { folder: string; limits: WriteLimits } {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "pinion-hint-")));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  for (const name of ["data", "other"]) mkdirSync(join(folder, name));
  return {
    folder,
    limits: {
      file: join(folder, "pinion.yaml"),
      write: ["./data"],
      paths: [join(folder, "data"), "/dev/null"],
    },
  };
}

const failed = (fields: object, message = "EACCES: permission denied"): Error =>
  Object.assign(new Error(message), { code: "EACCES", syscall: "open", ...fields });

test("it says what is allowed, and the whole line to put in", (t) => {
  const { folder, limits } = project(t);
  t.is(
    writeHint(failed({ path: join(folder, "other/new") }), limits),
    `\nhint: handlers may write to ${folder}/data only; for ${folder}/other/new set \`write: [./data, ./other]\` in ${folder}/pinion.yaml (folders that are there), and restart`,
  );
});

test("the folder to name: of a file, a new folder, a move, something elsewhere", (t) => {
  const { folder, limits } = project(t);
  const named = (fields: object): string | undefined =>
    /write: \[\.\/data, (.*?)\]/.exec(writeHint(failed(fields), limits))?.[1];
  t.is(named({ path: join(folder, "app.db") }), ".");
  t.regex(
    writeHint(failed({ path: join(folder, "app.db") }), limits),
    /such as .\/data, would be safer$/,
  );
  t.is(named({ path: join(folder, "new"), syscall: "mkdir" }), "./new");
  t.is(
    named({ path: join(folder, "data/a"), dest: join(folder, "other/b"), syscall: "rename" }),
    "./other",
  );
  t.is(
    named({ path: join(folder, "data/a"), dest: join(folder, "other/b"), code: "EXDEV" }),
    "./other",
  );
  t.is(
    named({ path: "/etc/passwd", dest: join(folder, "other/b"), syscall: "copyfile" }),
    "./other",
  );
  t.is(named({ path: "/", dest: join(folder, "other/b"), syscall: "symlink" }), "./other");
  t.is(named({ path: "/var/none/file" }), "/var/none");
  t.is(named({ path: join(folder, "with blank/file") }), '"./with blank"');
  symlinkSync(join(folder, "other"), join(folder, "data/link"));
  t.is(named({ path: join(folder, "data/link/file") }), "./other");
});

test("no hint where something else refuses", (t) => {
  const { folder, limits } = project(t);
  t.is(writeHint(failed({ path: join(folder, "data/new") }), limits), "");
  t.is(writeHint(failed({ path: folder, syscall: "scandir" }), limits), "");
  t.is(writeHint(failed({ path: "/usr/bin/x", syscall: "spawn /usr/bin/x" }), limits), "");
  t.is(writeHint(failed({ path: join(folder, "other/new") }), null), "");
  t.is(writeHint(new Error("something else"), limits), "");
  t.is(writeHint("EACCES", limits), "");
  const throwing = Object.defineProperty(new Error("x"), "code", {
    get() {
      throw new Error("no");
    },
  });
  t.is(writeHint(throwing, limits), "");
  // Root reads everything.
  if (process.getuid?.() === 0) return;
  writeFileSync(join(folder, "other/secret"), "");
  chmodSync(join(folder, "other/secret"), 0);
  t.is(writeHint(failed({ path: join(folder, "other/secret") }), limits), "");
});

test("in a cause, of SQLite, and of a program", (t) => {
  const { folder, limits } = project(t);
  const cause = failed({ path: join(folder, "other/new") });
  t.regex(writeHint(new Error("cannot save", { cause }), limits), /for .*other\/new set/);
  const round = new Error("round");
  round.cause = round;
  t.is(writeHint(round, limits), "");
  const sqlite = Object.assign(new Error("unable to open database file"), {
    code: "SQLITE_CANTOPEN",
  });
  t.regex(
    writeHint(sqlite, limits),
    /hint: .* if the database lies elsewhere, name its folder, as in `write: \[\.\/data\]`/,
  );
  const program = new Error("Command failed: touch x\ntouch: cannot touch 'x': Permission denied");
  t.regex(writeHint(program, limits), /hint: .* if it was to write elsewhere/);
});
