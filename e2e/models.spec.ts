// docs/MODELS.md as a reader follows it: a text, a run, a model; then that model's weights, and adapters beside them.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "@playwright/test";
import { freePort } from "../apps/cli/free-port.ts";
import { type Background, blocksOf, inBackground, typed } from "./commands.ts";

test("the commands of MODELS.md make a model of a text, and tune it on another", async () => {
  const folder = mkdtempSync(join(tmpdir(), "gossamer-models-"));
  symlinkSync(resolve("docs"), join(folder, "docs")); // the reader stands in the repository
  const port = await freePort();
  const reader = { folder, env: { ...process.env, PORT: String(port), INIT_CWD: folder } };
  let host: Background | undefined;
  let printed = "";
  try {
    for (const { background, commands } of blocksOf("docs/MODELS.md")) {
      if (!background) {
        printed += typed(commands.replaceAll("localhost:7070", `localhost:${port}`), reader);
        continue;
      }
      await host?.end(); // one stands on that port
      host = inBackground(commands, reader);
      await host.said(`localhost:${port}`);
    }
    const losses = [...printed.matchAll(/^loss +([\d.]+) nats per token$/gm)].map(([, loss]) => Number(loss));
    expect(losses).toHaveLength(2); // of the first run, and of the tuned one
    expect(losses[0]).toBeLessThan(Math.log(512));
    expect(printed).toContain("all: 1 questions");
    // Which documents are held out goes by their hashes, and so changes with any of them.
    const [trained, heldOut] = ["train", "evaluation"].map(
      (part) => new RegExp(`${part} begins:\\n# (.+)\\n`).exec(printed)?.[1],
    );
    const documents = readdirSync("docs").filter((name) => name.endsWith(".md"));
    const titles = documents.map((name) => /^# (.+)\n/.exec(readFileSync(join("docs", name), "utf8"))?.[1]);
    expect(titles).toEqual(expect.arrayContaining([trained, heldOut]));
    expect(trained).not.toBe(heldOut);
    for (const made of ["weights/model.safetensors", "weights/tokenizer.json", "tuned/model.safetensors"])
      expect(existsSync(join(folder, made)), made).toBe(true);
    expect(readFileSync(join(folder, "weights/README.md"), "utf8")).toContain("Gossamer's documents");
    expect(readFileSync(join(folder, "tuned/README.md"), "utf8")).toMatch(/LoRA of rank 8/);
    expect(readFileSync(join(folder, "tuned/model.safetensors")).length).toBe(
      readFileSync(join(folder, "weights/model.safetensors")).length,
    );
  } finally {
    await host?.end();
    rmSync(folder, { recursive: true, force: true });
  }
});
