import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { flag, missingPackages, needsFullInstall, nodeFault, signalFault, sourceHash } from "./bootstrap.mjs";

const root = join(import.meta.dirname, "..", "..");

describe("Node", () => {
  test.each(["20.19.0", "20.20.1", "22.0.0", "24.1.0"])("%s will do", (version) => {
    expect(nodeFault(version)).toBeUndefined();
  });
  test.each(["18.20.4", "20.18.3", "12.0.0"])("%s is refused with what is needed and where to get it", (version) => {
    expect(nodeFault(version)).toMatch(
      new RegExp(`Node 20\\.19 or newer; this is Node ${version}.*https://nodejs\\.org`),
    );
  });
  test("an old one is told so before anything is installed or built", async () => {
    const pretence = join(await mkdtemp(join(tmpdir(), "gossamer-node-")), "old.cjs");
    await writeFile(
      pretence,
      'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "18.20.4" } });',
    );
    const args = ["--require", pretence, join(root, "apps/cli/bootstrap.mjs"), "host"];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    expect([status, stdout]).toEqual([1, ""]);
    expect(stderr).toBe(`${nodeFault("18.20.4")}\n`);
  });
  test("the bootstrap itself has no syntax newer than Node 12, so that an old one gets this far", async () => {
    const source = await readFile(join(root, "apps/cli/bootstrap.mjs"), "utf8");
    const code = source.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "").replace(/"[^"\n]*"/g, '""');
    expect(code).not.toMatch(/\?\?|\?\.[a-z[(]|^\s*await |\bnode:|#[a-z]/m);
  });
});

describe("install", () => {
  const entry = { version: "1.0.0", integrity: "sha512-a" };
  const wanted = {
    packages: {
      "": {},
      "node_modules/a": entry,
      "node_modules/tool": { ...entry, dev: true },
      "node_modules/a-darwin": { ...entry, optional: true },
    },
  };
  test("nothing is missing when npm recorded the same packages; other platforms' do not count", () => {
    expect(missingPackages(wanted, { packages: { "node_modules/a": entry } }, false)).toEqual([]);
  });
  test("development packages are missing only to who needs them", () => {
    expect(missingPackages(wanted, { packages: { "node_modules/a": entry } }, true)).toEqual(["node_modules/tool"]);
  });
  test.each([
    ["another version", { version: "1.0.1", integrity: "sha512-a" }],
    ["other bytes", { version: "1.0.0", integrity: "sha512-b" }],
  ])("%s is installed again", (_, installed) => {
    expect(missingPackages(wanted, { packages: { "node_modules/a": installed } }, false)).toEqual(["node_modules/a"]);
  });
  test("headless browsers and tests need the development packages, a host does not", () => {
    expect(needsFullInstall("host", ["host", "--run", "nano"])).toBe(false);
    expect(needsFullInstall("host", ["host", "--donors", "2"])).toBe(true);
    expect(needsFullInstall("test", ["test"])).toBe(true);
  });
  test("the lock file names every platform's optional packages: npm ci refuses one that does not", async () => {
    const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8")) as {
      packages: Record<string, { optionalDependencies?: Record<string, string>; version?: string }>;
    };
    const names = new Set(Object.keys(lock.packages).map((path) => path.split("node_modules/").at(-1)));
    const wantedNames = Object.values(lock.packages).flatMap(({ optionalDependencies = {} }) =>
      Object.keys(optionalDependencies),
    );
    expect(wantedNames.filter((name) => !names.has(name))).toEqual([]);
  });
});

describe("build", () => {
  async function project(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), "gossamer-sources-"));
    await mkdir(join(folder, "apps", "web"), { recursive: true });
    await writeFile(join(folder, "apps", "web", "main.ts"), "1");
    await writeFile(join(folder, "vite.config.ts"), "");
    return folder;
  }
  test("depends on contents, not on times, and not on tests", async () => {
    const folder = await project();
    const before = sourceHash(folder, "");
    await utimes(join(folder, "apps", "web", "main.ts"), 1, 1);
    await writeFile(join(folder, "apps", "web", "main.test.ts"), "test");
    expect(sourceHash(folder, "")).toBe(before);
  });
  test("is repeated for a changed file, a new file, another name, and another signaling host", async () => {
    const folder = await project();
    const hashes = [sourceHash(folder, ""), sourceHash(folder, "wss://elsewhere")];
    await writeFile(join(folder, "apps", "web", "main.ts"), "2");
    hashes.push(sourceHash(folder, ""));
    await writeFile(join(folder, "apps", "web", "other.ts"), "");
    hashes.push(sourceHash(folder, ""));
    expect(new Set(hashes).size).toBe(4);
  });
});

test.each([
  [["build", "--signal", "wss://a"], "wss://a"],
  [["build", "--signal=wss://a"], "wss://a"],
  [["build"], undefined],
])("--signal of %j", (args, expected) => {
  expect(flag(args, "--signal")).toBe(expected);
});

test.each(["", "ws://localhost:7070/signal", "wss://example.org/signal"])("a page may signal at %j", (signal) => {
  expect(signalFault(signal)).toBeUndefined();
});
test.each(["nonsense", "example.org", "https://example.org", "--port"])(
  "--signal %s is refused with an example",
  (signal) => {
    expect(signalFault(signal)).toMatch(/is no signaling host: .*wss:\/\/example\.org\/signal/);
  },
);
