// Takes a fresh clone to a running command, with Node's built-ins alone:
//
//   check Node -> install if the lock file asks for it -> build if sources changed -> run dist/node/main.js in this process
//
// Written in old syntax on purpose, so that an old Node reaches the message below instead of a syntax error.
import { spawnSync } from "child_process";
import { createHash } from "crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "fs";
import { dirname, join } from "path";
import { fileURLToPath, pathToFileURL } from "url";

const NODE_MIN = [20, 19];
const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Undefined when this Node will do, else what to tell the user. */
export function nodeFault(version) {
  const [major, minor] = version.split(".").map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return undefined;
  return (
    "Gossamer needs Node " +
    NODE_MIN.join(".") +
    " or newer; this is Node " +
    version +
    ". Get one from https://nodejs.org"
  );
}

/**
 * What is missing from node_modules, by npm's own record of what it installed (node_modules/.package-lock.json).
 * Optional packages are for other platforms as often as not, so their absence counts for nothing.
 * @param full development packages count too
 */
export function missingPackages(wanted, installed, full) {
  const have = installed ? installed.packages : {};
  return Object.keys(wanted.packages).filter((path) => {
    const entry = wanted.packages[path];
    if (path === "" || (entry.dev && !full)) return false;
    if (!have[path]) return !entry.optional && !entry.devOptional && !entry.peer;
    return have[path].version !== entry.version || have[path].integrity !== entry.integrity;
  });
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (_) {
    return undefined;
  }
}

function filesBelow(path) {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .reduce((files, entry) => {
      const child = join(path, entry.name);
      if (entry.isDirectory()) return files.concat(filesBelow(child));
      return /\.test\.tsx?$/.test(entry.name) ? files : files.concat(child);
    }, []);
}

/** One hash over everything that a build reads: a build is fresh when its stamp holds the same. */
export function sourceHash(folder, signal) {
  const hash = createHash("sha256").update(`signal ${signal}`);
  const single = ["package.json", "package-lock.json", "vite.config.ts"].map((name) => join(folder, name));
  const files = ["apps", "packages", "public"].reduce(
    (all, name) => all.concat(filesBelow(join(folder, name))),
    single,
  );
  for (const file of files) {
    if (!existsSync(file)) continue;
    const bytes = readFileSync(file);
    hash.update("\0" + file.slice(folder.length) + "\0" + bytes.length + "\0").update(bytes);
  }
  return hash.digest("hex");
}

/** Runs a step in the foreground; its failure, or Ctrl-C in it, ends this process with the same code. */
function step(command, args) {
  const shell = process.platform === "win32" && command === "npm"; // npm is a .cmd there
  const result = spawnSync(command, args, { cwd: root, stdio: ["inherit", 2, 2], shell: shell });
  if (result.error) {
    console.error(command + " did not start: " + result.error.message);
    process.exit(1);
  }
  if (result.signal) process.exit(result.signal === "SIGINT" ? 130 : 1);
  if (result.status !== 0) {
    console.error("\n" + [command].concat(args).join(" ") + " failed (exit code " + result.status + ").");
    process.exit(result.status);
  }
}

function install(full) {
  const wanted = readJson(join(root, "package-lock.json"));
  const installed = readJson(join(root, "node_modules", ".package-lock.json"));
  if (installed && missingPackages(wanted, installed, full).length === 0) return;
  // A full install stays full: taking the development packages away would only make the next `npm test` fetch them again.
  const keepFull = full || (installed && existsSync(join(root, "node_modules", "vitest")));
  console.error(installed ? "Packages changed: installing…" : "First start: installing packages…");
  const args = ["ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];
  step("npm", keepFull ? args : args.concat("--omit=dev"));
}

/** @param wish the signaling host to build for; undefined: the same as last time */
function build(wish, always) {
  const stamp = join(root, "dist", "stamp.json");
  const last = readJson(stamp);
  const signal = wish !== undefined ? wish : (last ? last.signal : "") || "";
  process.env.GOSSAMER_SIGNAL = signal; // the host's content policy lets the page connect there
  const hash = sourceHash(root, signal);
  if (!always && last && last.hash === hash && existsSync(join(root, "dist", "node", "main.js"))) return;
  console.error("Building the page and the host…");
  rmSync(stamp, { force: true });
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  step(process.execPath, [vite, "build", "--logLevel", "warn"]);
  step(process.execPath, [vite, "build", "--ssr", "--logLevel", "warn"]);
  mkdirSync(join(root, "dist"), { recursive: true });
  writeFileSync(stamp, `${JSON.stringify({ hash, signal })}\n`);
}

/**
 * The page with hooks that hold a peer in any phase of a round, and the page in any state that a test names: for end-to-end tests alone,
 * never served by default.
 */
function buildTestPage() {
  const stamp = join(root, "dist", "test-stamp.json");
  const hash = sourceHash(root, "");
  const last = readJson(stamp);
  if (last && last.hash === hash) return;
  rmSync(stamp, { force: true });
  process.env.VITE_TEST_HOOKS = "1";
  const vite = join(root, "node_modules", "vite", "bin", "vite.js");
  step(process.execPath, [vite, "build", "--logLevel", "warn", "--outDir", join(root, "dist", "web-test")]);
  delete process.env.VITE_TEST_HOOKS;
  step(process.execPath, [vite, "build", "--mode", "looks", "--logLevel", "warn"]);
  writeFileSync(stamp, `${JSON.stringify({ hash })}\n`);
}

/** Value of `--name value` or `--name=value`. */
export function flag(args, name) {
  const at = args.findIndex((arg) => arg === name || arg.startsWith(`${name}=`));
  if (at < 0) return undefined;
  return args[at].includes("=") ? args[at].slice(name.length + 1) : args[at + 1];
}

/** Headless browsers and test runners are development packages: these commands alone need them. */
export function needsFullInstall(command, args) {
  return (
    ["test", "bench", "demo", "proof", "prepare", "nat", "engines"].indexOf(command) >= 0 ||
    flag(args, "--donors") !== undefined
  );
}

/** Undefined when a page can signal there, else what to tell the user. */
export function signalFault(signal) {
  if (signal === "" || /^wss?:$/.test(protocolOf(signal))) return undefined;
  return `"${signal}" is no signaling host: give --signal (or GOSSAMER_SIGNAL) an address like wss://example.org/signal`;
}

function protocolOf(url) {
  try {
    return new URL(url).protocol;
  } catch (_) {
    return "";
  }
}

function playwright(args) {
  const cli = join(root, "node_modules", "@playwright", "test", "cli.js");
  process.chdir(root);
  process.argv = [process.argv[0], cli, "test"].concat(args);
  import(pathToFileURL(cli).href);
}

/** A longer proof: the same file that `npm test` runs in its short form. `--seed` and `--minutes` are for the proofs that have them. */
function proof(name, args) {
  for (const option of ["seed", "minutes"]) {
    const value = flag(args, `--${option}`);
    if (value === undefined) continue;
    if (!(Number(value) > 0)) {
      console.error(`--${option} must be a number above 0, not "${value}".`);
      process.exit(1);
    }
    process.env[`GOSSAMER_${option.toUpperCase()}`] = value;
  }
  process.env.GOSSAMER_PROOF = "whole";
  playwright([`e2e/${name}.spec.ts`]);
}

/** Tests run in whatever `gossamer browser` finds. None is a failure of the tests that need one: they say so, nothing is skipped. */
function chooseBrowser() {
  const args = [join(root, "dist", "node", "main.js"), "browser"];
  const result = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (result.status === 0) process.env.CHROMIUM_PATH = result.stdout.trim();
}

function main() {
  const fault = nodeFault(process.versions.node);
  if (fault !== undefined) {
    console.error(fault);
    process.exit(1);
  }
  const args = process.argv.slice(2);
  const command = args[0];
  // `build` without --signal goes back to a page that signals where it came from; other commands keep what was built.
  const { GOSSAMER_SIGNAL } = process.env;
  const signal = command === "build" ? flag(args, "--signal") || GOSSAMER_SIGNAL || "" : GOSSAMER_SIGNAL;
  const wrongSignal = signalFault(signal || "");
  if (wrongSignal !== undefined) {
    console.error(wrongSignal);
    process.exit(1);
  }
  install(needsFullInstall(command, args));
  // Their own global setup builds, after a look at whether this machine has what they need at all.
  if (command === "nat" || command === "engines")
    return playwright(["--config", "e2e/" + command].concat(args.slice(1)));
  // `npm test check` alone looks at sources only; everything else runs what was built.
  const sourcesOnly = command === "test" && ["check", "unit"].indexOf(args[1]) >= 0;
  if (!sourcesOnly) build(signal, command === "build");
  if (command === "build") return;
  if (["prepare", "proof"].indexOf(command) >= 0 || (command === "test" && !sourcesOnly)) chooseBrowser();
  if (command === "prepare") return buildTestPage(); // what Playwright's global setup asks for
  if (command === "proof") return proof(args[1], args);
  // In this process, not a child: Ctrl-C, the exit code and the terminal are the command's own.
  const entry = command === "test" ? join(root, "apps", "cli", "test.mjs") : join(root, "dist", "node", "main.js");
  if (command === "test") {
    process.chdir(root);
    process.argv.splice(2, 1);
  }
  import(pathToFileURL(entry).href).catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

if (process.argv[1] && pathToFileURL(process.argv[1]).href === import.meta.url) main();
