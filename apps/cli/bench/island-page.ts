// What `bench island` runs in the browser.
import { measureIsland } from "#engine";

declare global {
  var island: typeof measureIsland;
}

globalThis.island = measureIsland;
