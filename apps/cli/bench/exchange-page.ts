// What `bench exchange` runs in the browser.
import { measureExchange } from "./exchange-measure.ts";

declare global {
  var exchange: typeof measureExchange;
}

globalThis.exchange = measureExchange;
