import { expect, test } from "vitest";
import engines from "../../e2e/engines/playwright.config.ts";
import nat from "../../e2e/nat/playwright.config.ts";

test("`npm run e2e:nat` and `e2e:engines` take no projects of `npm test`: those leave their files out, and nothing else would notice that none is found", () => {
  for (const { projects, testDir, testIgnore } of [nat, engines]) {
    expect(projects).toBeUndefined();
    expect(testDir).toBe(".");
    expect(testIgnore).toEqual([]);
  }
});
