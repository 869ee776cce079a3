// npm test: every runner in turn, then one line that sums them.
//
//   check (types, lint, format, imports, unused code, licences) -> unit and simulation, beside them GPU conformance -> pages end to end -> swarms
//
// A software adapter compiles on one core, so the unit tests, one file at a time, have the other. What runs beside them is printed after them.
// Each check counts as one test. A runner that dies without a report counts as one failure, so nothing can pass by crashing.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Reports, and every temporary file of the tests: gone at the end. */
const temporary = mkdtempSync(join(tmpdir(), "gossamer-test-"));
const bin = (name) => join("node_modules", ".bin", name);
const totals = { passed: 0, failed: 0, failures: [], skipped: [] };
const only = process.argv[2]; // check | unit | gpu | e2e: one stage alone

/** @param print called with what it says, instead of our own output */
function run(command, args, env = {}, print = undefined) {
  return new Promise((resolve) => {
    const stdio = print === undefined ? "inherit" : ["inherit", "pipe", "pipe"];
    const child = spawn(command, args, { stdio, env: { ...process.env, TMPDIR: temporary, ...env } });
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", print);
    child.on("error", (error) => {
      console.error(`${command} did not start: ${error.message}`);
      resolve(1);
    });
    child.on("close", (code, signal) => resolve(signal ? 1 : code));
  });
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** Counted, and told by name once more at the end: who reads the last lines only must know which. @param why the error, its first lines said */
function fail(name, why = "") {
  totals.failed++;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours that a runner writes
  const plain = why.replace(/\u001b\[[0-9;]*m/g, "");
  totals.failures.push([name, ...plain.split("\n", 12)].join("\n    "));
}

async function checks() {
  const licences =
    "MIT;ISC;BSD-2-Clause;BSD-3-Clause;Apache-2.0;0BSD;CC0-1.0;CC-BY-3.0;CC-BY-4.0;BlueOak-1.0.0;Python-2.0;Unlicense;MPL-2.0;ODC-By-1.0;PDDL-1.0";
  const all = {
    types: [bin("tsc"), ["-p", "tsconfig.json"]],
    "types of the pure packages (no DOM, no Node)": [bin("tsc"), ["-p", "tsconfig.pure.json"]],
    "lint, format and one-way imports": [bin("biome"), ["ci", "--error-on-warnings", "."]],
    "unused code": [bin("knip"), []],
    licences: [bin("license-checker-rseidelsohn"), ["--summary", "--excludePrivatePackages", "--onlyAllow", licences]],
  };
  // Side by side: each has one core's work for some seconds. What one says is printed when it ends.
  const check = async ([name, [command, args]]) => {
    const held = [];
    const failed = (await run(command, args, {}, (chunk) => held.push(chunk))) !== 0;
    process.stdout.write(`\n— check: ${name}\n${Buffer.concat(held)}`);
    if (failed) fail(`check: ${name}`);
    else totals.passed++;
  };
  await Promise.all(Object.entries(all).map(check));
}

async function vitest(project, print) {
  const say = print ?? ((text) => process.stdout.write(text));
  say(`\n— ${project}\n`);
  const path = join(temporary, `${project}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${path}`];
  const code = await run(bin("vitest"), ["run", "--project", project, "--maxWorkers=1", ...reporters], {}, print);
  const report = readReport(path);
  if (!report) return fail(`${project}: no report (exit code ${code})`);
  totals.passed += report.numPassedTests;
  const before = totals.failed;
  for (const file of report.testResults) {
    for (const test of file.assertionResults) {
      if (test.status === "pending" || test.status === "skipped") totals.skipped.push(`${project}: ${test.fullName}`);
      if (test.status === "failed") fail(`${project}: ${test.fullName}`, test.failureMessages.join("\n"));
    }
    // A file that does not load has no tests to count, yet it failed.
    if (file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"))
      fail(`${project}: ${file.name}`, file.message);
  }
  // An error outside every test: a promise that nobody awaited.
  if (code !== 0 && totals.failed === before) fail(`${project}: exit code ${code}; the list above says why`);
}

async function unitBesideGpu() {
  const held = [];
  const unit = vitest("unit");
  const gpu = vitest("gpu", (chunk) => held.push(chunk));
  await unit;
  console.log("\n(the tests on the GPU are under way)");
  await gpu;
  for (const chunk of held) process.stdout.write(chunk);
}

async function endToEnd() {
  await playwright("pages", 2); // they wait for rounds most of their time
  await playwright("swarms", 1);
}

async function playwright(project, workers) {
  console.log(`\n— end to end: ${project}`);
  const path = join(temporary, `${project}.json`);
  const args = ["test", `--project=${project}`, `--workers=${workers}`, "--reporter=list,json"];
  const code = await run(bin("playwright"), args, { PLAYWRIGHT_JSON_OUTPUT_NAME: path });
  const report = readReport(path);
  if (!report) return fail(`${project}: no report (exit code ${code})`);
  const { expected, unexpected, flaky, skipped } = report.stats;
  totals.passed += expected;
  for (const spec of report.suites.flatMap(specsOf)) {
    const results = spec.tests.flatMap((test) => (["unexpected", "flaky"].includes(test.status) ? test.results : []));
    const errors = results.flatMap((result) => result.errors.map((error) => error.message));
    if (results.length > 0) fail(`${project}: ${spec.file}: ${spec.title}`, errors.join("\n"));
  }
  if (code !== 0 && unexpected + flaky === 0) fail(`${project}: exit code ${code}; the list above says why`);
  if (skipped > 0) totals.skipped.push(`end to end: ${skipped}; the list above says which`);
}

const specsOf = (suite) => [...(suite.specs ?? []), ...(suite.suites ?? []).flatMap(specsOf)];

const whole = { check: checks, "unit and gpu": unitBesideGpu, e2e: endToEnd };
const stages = { check: checks, unit: () => vitest("unit"), gpu: () => vitest("gpu"), e2e: endToEnd };
if (only !== undefined && !Object.hasOwn(stages, only)) {
  console.error(`"${only}" is no stage. One of: ${Object.keys(stages).join(", ")}; none runs all.`);
  process.exit(2);
}
const startedMs = performance.now();
for (const [name, stage] of Object.entries(only === undefined ? whole : { [only]: stages[only] })) {
  const stageMs = performance.now();
  await stage();
  console.log(`(${name}: ${Math.round((performance.now() - stageMs) / 1000)} s)`);
}
rmSync(temporary, { recursive: true, force: true, maxRetries: 3 });
console.log(`\nin ${Math.round((performance.now() - startedMs) / 1000)} s`);
for (const skipped of totals.skipped) console.log(`skipped: ${skipped}`);
for (const failure of totals.failures) console.log(`failed: ${failure}`);
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed === 0 && totals.passed > 0 ? 0 : 1;
