// Before the tests: the page and the host as a user gets them, built only when sources changed.
import { spawnSync } from "node:child_process";

export default function build(): void {
  const result = spawnSync(process.execPath, ["apps/cli/bootstrap.mjs", "prepare"], { stdio: "inherit" });
  if (result.status !== 0) throw new Error("the build failed; its output is above");
}
