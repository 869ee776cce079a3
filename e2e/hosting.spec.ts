// docs/HOSTING.md as an operator follows it, and the files that a host is deployed with (apps/host/deploy).
//
// `npm run proof:hosting` also does in a fresh folder what the Dockerfile does: installs, builds, and starts what comes out.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { expect, test } from "@playwright/test";
import { parse } from "yaml";
import { freePort } from "../apps/cli/free-port.ts";
import { blocksOf, inBackground, said, typed } from "./commands.ts";

const root = resolve(".");
const deploy = join(root, "apps", "host", "deploy");
const read = (name: string): string => readFileSync(join(deploy, name), "utf8");
const whole = process.env.GOSSAMER_PROOF === "whole";

test("the commands of HOSTING.md do what it says, one after the other", async () => {
  const folder = mkdtempSync(join(tmpdir(), "gossamer-hosting-"));
  const port = await freePort();
  const env = { ...process.env, PORT: String(port), INIT_CWD: folder, GOSSAMER_DATA: join(folder, "elsewhere") };
  // What a reader types once stands on 7070; the test's host listens where there is room.
  const here = (commands: string) =>
    commands.replace(
      /(npm run gossamer -- (?:status|peers|log|run \w+( \S+)?))(?=$| --limit| --token-file)/gm,
      `$1 --url http://localhost:${port}`,
    );
  const hasOpenssl = spawnSync("openssl", ["version"]).status === 0; // most systems have it; the tests need nothing but a browser
  const blocks = blocksOf("docs/HOSTING.md").filter(({ commands }) => hasOpenssl || !commands.startsWith("openssl"));
  expect(blocks.length).toBeGreaterThan(6);
  const background = blocks.filter((block) => block.background);
  expect(background).toHaveLength(1);
  const reader = { folder, env };
  const host = inBackground(background[0].commands, reader);
  try {
    expect(await host.said("localhost:")).toContain(`localhost:${port}`);
    let printed = "";
    for (const { commands } of blocks.filter((block) => !block.background)) printed += typed(here(commands), reader);
    expect(printed).toContain("OK          every sealed anchor");
    const nobody = spawnSync(process.execPath, ["dist/node/main.js", "status", "--url", "http://127.0.0.1:1"]);
    expect([nobody.status, String(nobody.stderr)]).toEqual([
      2,
      expect.stringMatching(/Nobody answers|cannot be reached/),
    ]);
    expect(printed).toMatch(/paused .*default/); // run pause
    expect(printed).toMatch(/DONE {4}.*restored/);
    expect(printed).toContain("GB a day in"); // the bill
    expect(JSON.parse(readFileSync(join(folder, "host.json"), "utf8"))).toMatchObject({ run: ["nano"] });
    const secrets = hasOpenssl ? ["turn-secret", "cert.pem", "key.pem"] : [];
    for (const made of [...secrets, "backup/manifest.json", "restored/version.json"])
      expect(existsSync(join(folder, made)), made).toBe(true);
  } finally {
    await host.end();
    rmSync(folder, { recursive: true, force: true });
  }
});

interface Instruction {
  readonly word: string;
  readonly rest: string;
}

const instructionsOf = (dockerfile: string): Instruction[] =>
  dockerfile
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => ({ word: line.split(" ")[0], rest: line.slice(line.indexOf(" ") + 1) }));

test("the Dockerfile copies what is there, runs without root, and ends well", () => {
  const instructions = instructionsOf(read("Dockerfile"));
  const all = (word: string) => instructions.filter((each) => each.word === word).map(({ rest }) => rest);
  for (const copy of all("COPY").filter((rest) => !rest.startsWith("--from")))
    for (const path of copy.split(" ").slice(0, -1)) expect(existsSync(path), path).toBe(true);
  expect(all("USER")).toEqual(["node"]);
  expect(all("VOLUME")).toEqual(["/data"]);
  expect(all("STOPSIGNAL")).toEqual(["SIGTERM"]);
  expect(JSON.parse(all("ENTRYPOINT")[0])).toEqual(["node", "/app/dist/node/main.js"]);
  expect(all("HEALTHCHECK")[0]).toContain("/healthz");
  const last = (word: string) => instructions.findLastIndex((each) => each.word === word);
  expect(last("USER")).toBeGreaterThan(last("RUN")); // who builds may be root, who runs may not
  const { engines } = JSON.parse(readFileSync("package.json", "utf8")) as { engines: { node: string } };
  for (const from of all("FROM"))
    expect(Number(/^node:(\d+)/.exec(from)?.[1])).toBeGreaterThanOrEqual(Number(/\d+/.exec(engines.node)));
});

interface Service {
  readonly build?: { context: string; dockerfile: string };
  readonly command: readonly string[];
  readonly volumes: readonly string[];
  readonly secrets: readonly string[];
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
}

test("the compose file names files, volumes and secrets that there are, and flags that a host knows", () => {
  const compose = parse(read("compose.yaml")) as {
    services: Record<"host" | "turn", Service>;
    volumes: Record<string, unknown>;
    secrets: Record<string, unknown>;
  };
  const { host, turn } = compose.services;
  const context = resolve(deploy, host.build!.context);
  expect(context).toBe(root);
  expect(existsSync(join(context, host.build!.dockerfile))).toBe(true);
  for (const service of [host, turn]) {
    for (const secret of service.secrets) expect(Object.keys(compose.secrets)).toContain(secret);
    for (const [from] of service.volumes.map((volume) => volume.split(":")))
      expect(from.startsWith("./") ? existsSync(join(deploy, from)) : Object.hasOwn(compose.volumes, from), from).toBe(
        true,
      );
    expect([service.read_only, service.cap_drop]).toEqual([true, ["ALL"]]);
  }
  const help = execFileSync(process.execPath, ["dist/node/main.js", "host", "--help"], { encoding: "utf8" });
  for (const flag of host.command.filter((word) => word.startsWith("--"))) expect(help).toContain(`${flag} <`);
});

test("systemd takes the unit, where there is one; it names a file that the build makes", () => {
  const unit = read("gossamer.service");
  expect(unit).toMatch(/^ExecStart=\/usr\/bin\/node \/opt\/gossamer\/dist\/node\/main.js host$/m);
  expect(existsSync("dist/node/main.js")).toBe(true);
  for (const needed of ["NoNewPrivileges=yes", "ProtectSystem=strict", "KillSignal=SIGTERM", "Restart=on-failure"])
    expect(unit).toContain(needed);
  if (!existsSync("/usr/bin/systemd-analyze") || !existsSync("/usr/bin/node")) return; // what can be read has been
  execFileSync("systemd-analyze", ["verify", join(deploy, "gossamer.service")], { stdio: "pipe" });
});

/** No part of npm test: it installs and builds. */
const inProof = whole ? test : () => {};

inProof("what the Dockerfile does, done in a fresh folder, starts a host that is healthy", async () => {
  test.setTimeout(10 * 60_000);
  const folder = mkdtempSync(join(tmpdir(), "gossamer-image-"));
  const port = await freePort();
  const tracked = execFileSync("git", ["ls-files"], { encoding: "utf8" }).trim().split("\n");
  let [stage, place] = ["", ""];
  const at = (path: string): string => join(folder, stage, path.startsWith("/") ? path : join(place, path));
  const copy = (from: string, to: string): void => {
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, to, { recursive: true });
  };
  try {
    for (const { word, rest } of instructionsOf(read("Dockerfile"))) {
      if (word === "FROM") stage = / AS (\w+)$/.exec(rest)?.[1] ?? "image";
      if (word === "WORKDIR") {
        place = rest;
        mkdirSync(at("."), { recursive: true });
      }
      if (word === "COPY") {
        const words = rest.split(" ");
        const from = /^--from=(\w+)$/.exec(words[0])?.[1];
        const [target, ...sources] = words.slice(from === undefined ? 0 : 1).reverse();
        for (const source of sources) {
          if (from !== undefined)
            copy(
              join(folder, from, source),
              target.endsWith("/") ? join(at(target), source.split("/").at(-1)!) : at(target),
            );
          else
            for (const file of tracked.filter((name) => name === source || name.startsWith(`${source}/`)))
              copy(file, sources.length > 1 || target.endsWith("/") ? join(at(target), file) : at(file));
        }
      }
      if (word === "RUN" && rest.startsWith("npm"))
        execFileSync("bash", ["-c", rest], {
          cwd: at("."),
          stdio: ["ignore", "inherit", "inherit"],
          env: { ...process.env, GOSSAMER_PROOF: "", VITE_TEST_HOOKS: "" },
        });
    }
    const data = join(folder, "volume");
    mkdirSync(data);
    const main = join(folder, "image", "app", "dist", "node", "main.js");
    const env = { ...process.env, NODE_ENV: "production", HOST: "127.0.0.1", PORT: String(port), GOSSAMER_DATA: data };
    const host = spawn(process.execPath, [main, "host", "--run", "nano"], {
      cwd: data,
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(host, "exit");
    await said(host.stdout, "localhost:");
    const health = instructionsOf(read("Dockerfile")).find(({ word }) => word === "HEALTHCHECK")!.rest;
    const [program, ...words] = JSON.parse(health.slice(health.indexOf("["))) as string[];
    execFileSync(program, words, { env });
    const page = await fetch(`http://127.0.0.1:${port}/`);
    expect([page.status, page.headers.get("content-type")]).toEqual([200, expect.stringContaining("text/html")]);
    host.kill("SIGTERM");
    expect((await ended)[0]).toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
