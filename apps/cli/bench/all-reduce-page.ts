// What `bench all-reduce` runs in the browser.
import { measureAllReduce } from "#engine";

declare global {
  var allReduce: typeof measureAllReduce;
}

globalThis.allReduce = measureAllReduce;
