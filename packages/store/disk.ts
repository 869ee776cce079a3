// What a host keeps on its disk. Node only; browsers have their own store.
//
//   DATA/version.json  host.lock  host.key  shards.json  blobs/ab/<name>  runs/<id>/{spec.json, log.lmdb}
export * from "./disk-blobs.ts";
export * from "./disk-file.ts";
export * from "./disk-folder.ts";
export * from "./disk-lock.ts";
export * from "./disk-log.ts";
export * from "./disk-settings.ts";
export * from "./disk-verify.ts";
export * from "./host-store.ts";
export { writeFault } from "./log-table.ts";
