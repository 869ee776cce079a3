// The NAT lab: needs root and a few packages, so it is no part of `npm test`. `npm run e2e:nat` runs it.
import { defineConfig } from "@playwright/test";
import base from "../../playwright.config.ts";

const { projects: _, ...shared } = base; // those of `npm test`

export default defineConfig(shared, {
  testDir: ".",
  testIgnore: [],
  globalSetup: ["./ready.ts", "../build.ts"],
});
