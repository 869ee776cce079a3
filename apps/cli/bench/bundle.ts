// `gossamer bench engine --bundle DIR`: the engine's bench for a machine that has a GPU and no network.
//
//   bundle-main.ts --vite--> DIR/bench-engine.mjs        npm's webgpu, this platform's part --> DIR/webgpu/        pytorch-step.py
import { cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findDawn } from "../dawn.ts";
import { repositoryRoot } from "../repository.ts";
import { entryOf, partsOf } from "./page.ts";
import { PYTORCH_SCRIPT } from "./pytorch.ts";

/** Each platform's binary is 25 to 50 MB. */
const PLATFORM = `${process.platform}-${process.platform === "darwin" ? "universal" : process.arch}`;
const SCRIPT = "bench-engine.mjs";

export async function writeBundle(
  folder: string,
  out: (line: string) => void,
  say: (line: string) => void,
): Promise<void> {
  const dawn = await findDawn(say);
  await mkdir(join(folder, "webgpu/dist"), { recursive: true });
  await writeFile(join(folder, SCRIPT), await bundleScript());
  await cp(join(repositoryRoot(), "apps/cli/bench", PYTORCH_SCRIPT), join(folder, PYTORCH_SCRIPT));
  for (const name of await readdir(dawn.folder))
    if (/^(index\.js|package\.json|LICENSE.*)$/.test(name))
      await cp(join(dawn.folder, name), join(folder, "webgpu", name));
  await cp(join(dawn.folder, "dist", PLATFORM), join(folder, "webgpu/dist", PLATFORM), { recursive: true });
  out(
    `${folder} holds the bench for ${PLATFORM}. Copy it to the machine with the GPU, with a Node binary (here: ${process.execPath}), then there:`,
  );
  out(`  node ${SCRIPT} --help`);
  out(
    "On Linux that machine needs a Vulkan driver and its loader (libvulkan.so.1); VK_DRIVER_FILES names a driver that is not installed.",
  );
}

/** One module with everything in it that Node lacks. */
export async function bundleScript(): Promise<string> {
  const { build } = await import("vite");
  const root = repositoryRoot();
  const result = await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: "error",
    ssr: { noExternal: true },
    build: {
      ssr: true,
      write: false,
      minify: false,
      target: "node20",
      rolldownOptions: { input: join(root, "apps/cli/bench/bundle-main.ts"), output: { codeSplitting: false } },
    },
  });
  return entryOf(partsOf(result));
}
