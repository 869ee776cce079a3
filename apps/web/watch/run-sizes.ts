// What a run's spec says about bytes, reckoned in the reader's thread: who only watches needs no codecs on the page's own.
import { codecOf, parameterTable, sharedTable, updateBytesMax } from "#outer";
import type { RunSpec } from "#wire";
import type { RunSizes } from "../window/types.ts";

export const runSizes = (spec: RunSpec): RunSizes => ({
  parameters: parameterTable(spec.model).length,
  shared: sharedTable(spec).length,
  updateBytes: updateBytesMax(codecOf(spec)),
});
