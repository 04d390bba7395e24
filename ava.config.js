// Tests run as tsc has built them. Whole-system tests boot daemons: more than two at a time only queue on a small machine.
export default {
  files: ["dist/**/*.test.js"],
  timeout: "3m",
  concurrency: 2,
  workerThreads: false,
};
