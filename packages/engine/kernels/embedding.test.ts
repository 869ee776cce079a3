import fc from "fast-check";
import { expect, test } from "vitest";
import { groupOccurrences } from "./embedding.ts";

test("every row is listed once, under its id, in order", () => {
  const ids = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(ids, (list) => {
      const rows = list.length;
      const words = groupOccurrences(Uint32Array.from(list), 10);
      const present = words[0];
      const starts = 1 + rows;
      const places = starts + rows + 1;
      const listed: number[] = [];
      for (let u = 0; u < present; u++) {
        const own = [...words.subarray(places + words[starts + u], places + words[starts + u + 1])];
        expect(own.map((row) => list[row])).toEqual(own.map(() => words[1 + u]));
        expect(own).toEqual(own.toSorted((a, b) => a - b));
        listed.push(...own);
      }
      expect(listed.toSorted((a, b) => a - b)).toEqual(list.map((_, row) => row));
    }),
  );
});
