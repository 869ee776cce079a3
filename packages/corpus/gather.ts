// From a corpus's parts to files on this disk: what lies elsewhere is fetched first.
import { join, resolve } from "node:path";
import type { CorpusPart } from "#wire";
import { download, nameOfUrl } from "./download.ts";
import { CorpusError } from "./fault.ts";
import { formatOf, localFiles, type SourceFile, unknownFormat } from "./files.ts";
import { HUB_ACCESS, type HubPlace, hubFiles, hubHeaders } from "./hub.ts";

export interface GatherOptions {
  /** That paths are relative to. */
  readonly folder: string;
  /** Where fetched files lie until everything is made of them. */
  readonly cache: string;
  readonly hub: HubPlace;
  /** Bytes that were fetched so far, of how many if that is known. */
  readonly onFetched: (name: string, bytes: number, total: number | undefined) => void;
}

export interface GatheredPart {
  readonly part: CorpusPart;
  readonly files: readonly SourceFile[];
  readonly skipped: readonly string[];
  /** Of a hub's data set: which one was read. */
  readonly commit?: string;
}

/** @throws CorpusError */
export async function gather(parts: readonly CorpusPart[], options: GatherOptions): Promise<GatheredPart[]> {
  const gathered: GatheredPart[] = [];
  for (const part of parts) gathered.push(await gatherPart(part, options));
  return gathered;
}

async function gatherPart(part: CorpusPart, options: GatherOptions): Promise<GatheredPart> {
  if (part.path !== undefined) return { part, ...(await localFiles(resolve(options.folder, part.path), part.path)) };
  if (part.url !== undefined) {
    const name = part.url.replace(/[?#].*$/, ""); // what stands behind it may be a key, and the name is published
    return {
      part,
      files: [await fetched({ name, url: part.url, path: new URL(part.url).pathname }, options)],
      skipped: [],
    };
  }
  if (part.hub === undefined) throw new TypeError("a part is somewhere");
  const { files, skipped, commit } = await hubFiles(part.hub, options.hub);
  const local: SourceFile[] = [];
  for (const file of files)
    local.push(await fetched({ ...file, headers: hubHeaders(options.hub), accessRemedy: HUB_ACCESS }, options));
  return { part, files: local, skipped, commit };
}

interface Remote {
  readonly name: string;
  readonly url: string;
  readonly path: string; // by whose ending it is read
  readonly bytes?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly accessRemedy?: string;
}

async function fetched(remote: Remote, { cache, onFetched }: GatherOptions): Promise<SourceFile> {
  const {
    name,
    url,
    headers = {},
    accessRemedy = "Check the address and that it may be read without a login",
  } = remote;
  const format = formatOf(remote.path);
  if (format === undefined) throw unknownFormat(name);
  const path = join(cache, nameOfUrl(url));
  const onBytes = (bytes: number): void => onFetched(name, bytes, remote.bytes);
  const length = await download({ url, name, path, headers, bytes: remote.bytes, accessRemedy, onBytes });
  if (remote.bytes !== undefined && length !== remote.bytes)
    throw new CorpusError(
      name,
      `it has ${length} bytes, its list says ${remote.bytes}`,
      "Start again with another --data",
    );
  return { name, path, bytes: length, ...format };
}
