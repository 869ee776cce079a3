import { ChunkTopK, parameterTable, type Selection } from "#outer";
import { feedbackEncode, feedbackSent, feedbackShrink, feedbackWithdraw, selectTopK } from "../kernels/feedback.ts";
import { encodeInt8Owed, UPDATE_BLOCK, UPDATE_BLOCK_WORDS } from "../kernels/mark.ts";
import { decodedValues, selectionOf, selectionTable } from "../model/selection.ts";
import { normals, prng, tinyModel } from "../reference/testing.ts";
import { type Check, compare } from "./check.ts";
import { decodedBlocks } from "./mark.ts";
import { f32, type KernelRunner, unwritten } from "./runner.ts";

/** What an offer encodes and keeps, and what is owed after it, against outer's codec. */
export async function checkFeedback(runner: KernelRunner): Promise<Check[]> {
  const table = parameterTable(tinyModel({ dModel: 36, heads: 3, kvHeads: 1, dFfn: 100, vocabSize: 131 }));
  const codec = new ChunkTopK(table, { chunk: 1024, k: 24, feedback: 0.5 });
  const blocks = Math.ceil(table.length / UPDATE_BLOCK);
  const random = prng(table.length);
  const [mark, owed, own] = [1, 2, 0.5].map((size) => f32(normals(random, blocks * UPDATE_BLOCK, size)));
  const n = mark.length / 4;
  const given = { mark, owed, own, diverged: new Uint32Array(1) };
  const update = unwritten(blocks * UPDATE_BLOCK_WORDS);
  const rounded = await runner.run(encodeInt8Owed, { blocks, firstBlock: 0 }, { ...given, update });
  const { own: encoded } = await runner.run(feedbackEncode, { n, firstBlock: 0 }, given);
  const truth = mark.map((value, i) => owed[i] + Math.fround(value - own[i]));

  const { entries, kept } = selectionTable(codec);
  const all = codec.chunks.length;
  const shape = { chunks: all, first: 0, base: 0, all, kept };
  const room = new Uint32Array(all + 2 * kept);
  const chosen = await runner.run(selectTopK, shape, { table: entries, values: encoded, selection: room });
  const choice = selectionOf(codec, new Uint32Array(chosen.selection.buffer));
  const best = codec.select(truth.subarray(0, table.length));
  const body = codec.read(codec.pack(best));
  if (typeof body === "string") throw new Error(`the codec does not read what it packed: ${body}`);
  const sent = wordsOf(codec, best, decodedValues(codec, best, body));
  const left = await runner.run(feedbackSent, shape, { table: entries, selection: sent, owed: truth });
  const owedAfter = truth.slice();
  body.addTo(owedAfter, -1, 0, table.length);
  const shrunk = await runner.run(feedbackShrink, { n, beta: codec.feedback }, { owed: truth });
  const withdrawn = await runner.run(feedbackWithdraw, { n }, { mark: own, owed: truth, own: mark });
  return [
    compare(encodeInt8Owed, "update as decoded", decodedBlocks(rounded.update, mark.length), truth, 2e-2), // int8
    compare(feedbackEncode, "encoded", encoded, truth, 0),
    compare(selectTopK, "counts", choice.counts, best.counts, 0),
    compare(selectTopK, "places", choice.places, best.places, 0),
    compare(selectTopK, "values", choice.values, best.values, 0),
    compare(feedbackSent, "owed", left.owed, owedAfter, 1e-6),
    compare(
      feedbackShrink,
      "owed",
      shrunk.owed,
      truth.map((value) => codec.feedback * value),
      0,
    ),
    compare(feedbackWithdraw, "mark", withdrawn.mark, mark, 0),
    compare(feedbackWithdraw, "owed", withdrawn.owed, owed, 1e-6),
  ];
}

/** A selection as the device has it, with these values. */
function wordsOf({ chunks }: ChunkTopK, { counts, places }: Selection, values: Float32Array): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(chunks.length + 2 * values.length);
  let [offset, n] = [chunks.length, 0];
  for (const [c, { k }] of chunks.entries()) {
    words[c] = counts[c];
    words.set(places.subarray(n, n + counts[c]), offset);
    offset += k;
    n += counts[c];
  }
  words.set(new Uint32Array(values.buffer), offset);
  return words;
}
