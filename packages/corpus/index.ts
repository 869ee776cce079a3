// A corpus -> documents, one at a time: files, folders, addresses and data sets of a hub; cleaned, de-duplicated, split and mixed. Node only.
export { CorpusError } from "./fault.ts";
export { formatOf, localFiles, type SourceFile } from "./files.ts";
export { type GatheredPart, type GatherOptions, gather } from "./gather.ts";
export type { HubPlace } from "./hub.ts";
export {
  emptyTally,
  type KeptDocument,
  keptDocuments,
  type PartTally,
  type PipelineOptions,
  type Split,
} from "./pipeline.ts";
