// Which build this is: peers and operators see it, nothing decides by it.
import manifest from "../../package.json" with { type: "json" };

export const BUILD = `gossamer ${manifest.version}`;
