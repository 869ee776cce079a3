import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

test.each(["nat", "engines"])(
  "`npm run e2e:%s` finds its tests: it is no part of `npm test`, so nothing else would notice",
  (folder) => {
    const args = ["test", "--config", join("e2e", folder), "--list"];
    const list = execFileSync(join("node_modules", ".bin", "playwright"), args, { encoding: "utf8" });
    expect(Number(/Total: (\d+) tests/.exec(list)?.[1])).toBeGreaterThan(5);
  },
);
