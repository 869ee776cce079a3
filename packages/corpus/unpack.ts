// A file's bytes as they come, unpacked: never more than a chunk in memory.
import { createReadStream } from "node:fs";
import * as zlib from "node:zlib";
import { Decompress } from "fzstd";
import { CorpusError, messageOf } from "./fault.ts";
import type { SourceFile } from "./files.ts";

const CHUNK_BYTES = 256 * 1024;

/**
 * @param onRead bytes of the file since the last call, packed as they are
 * @throws CorpusError
 */
export async function* unpackedBytes(file: SourceFile, onRead: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  if (file.bytes === 0) throw new CorpusError(file.name, "the file is empty", "Take it out, or fetch it again");
  try {
    yield* unpack(counted(createReadStream(file.path, { highWaterMark: CHUNK_BYTES }), onRead), file.packed);
  } catch (error) {
    if (error instanceof CorpusError) throw error;
    const reason = file.packed === undefined ? "cannot be read" : "cannot be unpacked";
    throw new CorpusError(
      file.name,
      `${reason}: ${messageOf(error)}`,
      "It is damaged or cut off: fetch or pack it again",
    );
  }
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  onRead: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    onRead(chunk.length);
    yield chunk;
  }
}

function unpack(chunks: AsyncGenerator<Uint8Array>, packed: SourceFile["packed"]): AsyncIterable<Uint8Array> {
  if (packed === undefined) return chunks;
  if (packed === "gz") return through(chunks, zlib.createGunzip({ chunkSize: CHUNK_BYTES }));
  const { createZstdDecompress } = zlib as { createZstdDecompress?: () => zlib.Gunzip }; // Node 22.15 and newer: several times as fast
  return createZstdDecompress === undefined ? unzstd(chunks) : through(chunks, createZstdDecompress());
}

async function* through(chunks: AsyncGenerator<Uint8Array>, stream: zlib.Gunzip): AsyncGenerator<Uint8Array> {
  const fed = (async () => {
    for await (const chunk of chunks) {
      if (stream.destroyed) return;
      if (!stream.write(chunk)) await new Promise<void>((go) => stream.once("drain", go).once("close", go));
    }
    stream.end();
  })().catch((error) => stream.destroy(error as Error));
  yield* stream as AsyncIterable<Uint8Array>;
  await fed;
}

async function* unzstd(chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  const out: Uint8Array[] = [];
  const decompress = new Decompress((chunk) => out.push(chunk));
  for await (const chunk of chunks) {
    decompress.push(chunk, false);
    yield* out.splice(0);
  }
  decompress.push(new Uint8Array(), true); // throws when the end is not there
  yield* out.splice(0);
}
