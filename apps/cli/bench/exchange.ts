// `gossamer bench exchange`: what an offer and a seal cost, where the CPU keeps the mark and where the device does.
import type { ModelShape } from "#wire";
import { english } from "../../web/words/format.ts";
import { loadModel } from "../models.ts";
import { type Crossing, type ExchangeMeasurement, measureExchange } from "./exchange-measure.ts";
import { onAdapter } from "./on-adapter.ts";

export interface BenchExchangeOptions {
  readonly from: string;
  readonly rounds: number;
  readonly adapter: string;
  readonly json: boolean;
}

/** Large enough that what is per parameter decides, small enough for a software adapter. */
const TWENTY_MILLION: ModelShape = {
  ...{ vocabSize: 8192, dModel: 384, layers: 10, heads: 6, kvHeads: 6, dFfn: 1024, contextLength: 64 },
  ...{ ropeTheta: 10_000, normEps: 1e-5, tiedEmbedding: true },
};

const TOP_K = { name: "chunk-top-k", chunk: 4096, k: 64, feedback: 0.95 } as const;

/** Prints through `out`; `say` hears of an installation, and of the page. */
export async function benchExchange(
  { from, rounds, adapter, json }: BenchExchangeOptions,
  out: (line: string) => void,
  say: (line: string) => void,
): Promise<void> {
  const { model: micro } = await loadModel("micro", from);
  for (const model of [micro, TWENTY_MILLION])
    for (const codec of ["int8-block", TOP_K] as const) {
      const measured = await measure({ model, codec, rounds }, adapter, say);
      for (const line of json ? [JSON.stringify(measured)] : lines(measured)) out(line);
    }
}

const measure = (
  wish: Parameters<typeof measureExchange>[0],
  adapter: string,
  say: (line: string) => void,
): Promise<ExchangeMeasurement> =>
  onAdapter(adapter, say, {
    entry: "apps/cli/bench/exchange-page.ts",
    inPage: (page) => page.evaluate((given) => globalThis.exchange(given), wish),
    inNode: () => measureExchange(wish),
  });

function lines({ adapter, parameters, codec, updateBytes, offer, seal }: ExchangeMeasurement): string[] {
  const crossing = ({ ms, bytesDown, bytesUp }: Crossing): string =>
    `${ms.toFixed(1).padStart(8)} ms${english.bytes(bytesDown).padStart(10)} read${english.bytes(bytesUp).padStart(10)} written`;
  return [
    `${parameters.toLocaleString("en")} parameters, ${codec}: an update of ${english.bytes(updateBytes)}, on ${adapter}`,
    `  offer   CPU   ${crossing(offer.cpu)}`,
    `       device   ${crossing(offer.device)}`,
    `  seal    CPU   ${crossing(seal.cpu)}`,
    `       device   ${crossing(seal.device)}`,
  ];
}
