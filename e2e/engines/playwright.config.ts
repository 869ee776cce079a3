// Watching in Firefox and WebKit: needs Debian's packages of them, so it is no part of `npm test`. `npm run e2e:engines` runs it.
import { defineConfig } from "@playwright/test";
import base from "../../playwright.config.ts";

const { projects: _, ...shared } = base; // those of `npm test`

export default defineConfig(shared, {
  testDir: ".",
  testIgnore: [],
  globalSetup: ["./ready.ts", "../build.ts"],
});
