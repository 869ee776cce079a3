// Dawn, WebGPU for Node: installed by the first command that asks for it.
import { join } from "node:path";
import { installPackages, versionsOf } from "./install.ts";

const DAWN = { manifests: "dawn-package", name: "dawn", what: "Dawn for Node (npm webgpu, 51 MB)" };

/** @returns the folder of npm's `webgpu`: what DAWN_FOR_NODE names, or one that is installed now */
export async function findDawn(say: (line: string) => void): Promise<{ folder: string; version: string }> {
  const given = process.env.DAWN_FOR_NODE;
  if (given) return { folder: given, version: "from DAWN_FOR_NODE" };
  const folder = await installPackages(DAWN, say);
  const { webgpu } = await versionsOf(folder);
  return { folder: join(folder, "node_modules/webgpu"), version: webgpu };
}
