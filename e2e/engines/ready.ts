// Which engines this machine has: told in one sentence before anything is built, with the remedy.
import { spawnSync } from "node:child_process";
import { EXIT_NOT_HERE } from "../nat/ready.ts";

const isThere = (command: string): boolean => spawnSync(command, ["--version"]).error === undefined;

/** Debian's name first; other systems have Firefox under its own. */
export const firefoxProgram = (): string | undefined => ["firefox-esr", "firefox"].find(isThere);
export const WEBKIT_DRIVER = "WebKitWebDriver";

/** Programs that are missing, and the packages of Debian and its descendants that hold them. */
function fault(): string | undefined {
  const missing = [
    { command: "Firefox", package: "firefox-esr", here: firefoxProgram() !== undefined },
    {
      command: WEBKIT_DRIVER,
      package: "webkit2gtk-driver",
      here: spawnSync(WEBKIT_DRIVER, ["--help"]).error === undefined,
    },
    { command: "Xvfb", package: "xvfb", here: spawnSync("Xvfb", ["-version"]).error === undefined },
  ].filter(({ here }) => !here);
  if (missing.length === 0) return undefined;
  const names = missing.map(({ command }) => command).join(", ");
  return `Watching in Firefox and WebKit needs ${names}. On Debian and Ubuntu:  apt-get install ${missing.map((tool) => tool.package).join(" ")}`;
}

/** Playwright's global setup: comes before the build, which takes longer than the answer. */
export default function ready(): void {
  const missing = fault();
  if (missing === undefined) return;
  console.error(missing);
  process.exit(EXIT_NOT_HERE);
}
