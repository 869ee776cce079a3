import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { splitCorpus } from "./corpus.ts";
import { decodeShard, encodeShard, ShardError } from "./shard.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
const anyIds = fc.uint16Array({ minLength: 1, maxLength: 300, max: 255 });

describe("token shard", () => {
  test("golden bytes", () => {
    const shard = encodeShard({ vocabSize: 300, ids: Uint16Array.of(1, 2, 299) });
    expect(hex(shard)).toBe("47 53 48 44 01 00 01 00 2c 01 00 00 03 00 00 00 01 00 02 00 2b 01");
  });

  test("decodes to what was encoded, wherever its bytes lie", () => {
    fc.assert(
      fc.property(anyIds, fc.nat(7), (ids, shift) => {
        const shard = encodeShard({ vocabSize: 256, ids });
        const memory = new Uint8Array(shard.length + shift);
        memory.set(shard, shift);
        expect(decodeShard(memory.subarray(shift))).toEqual({ vocabSize: 256, ids });
      }),
    );
  });

  test("aligned bytes are viewed, not copied", () => {
    const shard = encodeShard({ vocabSize: 256, ids: Uint16Array.of(7) });
    expect(decodeShard(shard).ids.buffer).toBe(shard.buffer);
  });

  const good = encodeShard({ vocabSize: 256, ids: Uint16Array.of(1, 2, 3) });
  const changed = (offset: number, ...bytes: number[]) => {
    const shard = good.slice();
    shard.set(bytes, offset);
    return shard;
  };
  test.each([
    ["empty", new Uint8Array(0), "0 bytes are less than its header of 16; fetch it again"],
    ["another magic", changed(0, 0), 'it does not begin with "GSHD"'],
    ["a future version", changed(4, 2), "version 2, this build reads 1; use the build"],
    ["another dtype", changed(6, 0), "dtype 0"],
    ["a vocabulary of none", changed(8, 0, 0), "vocabulary of 0, allowed are 1 to 65536"],
    ["a huge vocabulary", changed(8, 0xff, 0xff, 0xff), "vocabulary of 16777215"],
    [
      "a count that lies",
      changed(12, 0xff, 0xff, 0xff, 0xff),
      "4294967295 tokens take 8589934606 bytes, but it has 22",
    ],
    ["no tokens", changed(12, 0).subarray(0, 16), "0 tokens"],
    ["cut short", good.subarray(0, 20), "but it has 20"],
    ["bytes behind the end", Uint8Array.of(...good, 0, 0), "but it has 24"],
    ["an id outside", changed(18, 0, 1), "token 1 has id 256, outside of its vocabulary of 256"],
  ])("%s is refused by name", (_what, shard, message) => {
    expect(() => decodeShard(shard)).toThrow(ShardError);
    expect(() => decodeShard(shard)).toThrow(message);
  });

  test("random bytes never decode to ids outside of the vocabulary", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(15), (noise, offset) => {
        const shard = good.slice();
        shard.set(noise.subarray(0, shard.length - offset), offset);
        try {
          const { ids, vocabSize } = decodeShard(shard);
          expect(ids.every((id) => id < vocabSize)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(ShardError);
        }
      }),
    );
  });

  test("ids outside of the vocabulary are not encoded", () => {
    expect(() => encodeShard({ vocabSize: 2, ids: Uint16Array.of(2) })).toThrow("make the shards again");
    expect(() => encodeShard({ vocabSize: 2, ids: new Uint16Array(0) })).toThrow("0 tokens");
  });
});

describe("splitCorpus", () => {
  const split = (text: string, part: number) => {
    const { train, evaluation } = splitCorpus(utf8(text), part);
    return [train, evaluation].map((bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  };

  test("cuts behind a paragraph, else behind a line, else between characters", () => {
    expect(split("one.\n\ntwo\nthree four", 0.3)).toEqual(["one.\n\n", "two\nthree four"]);
    expect(split("one.\ntwo three four", 0.3)).toEqual(["one.\n", "two three four"]);
    expect(split("äöü€", 0.3)).toEqual(["äöü", "€"]);
  });

  test("loses no byte and cuts no character", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme", minLength: 5 }),
        fc.double({ min: 0.1, max: 0.4, noNaN: true }),
        (text, part) => {
          expect(split(text, part).join("")).toBe(text);
        },
      ),
    );
  });

  test("a text too short to split is refused", () => {
    expect(() => splitCorpus(utf8("a"), 0.1)).toThrow("give a longer text");
    expect(() => splitCorpus(new Uint8Array(0), 0.1)).toThrow("0 bytes");
  });
});
