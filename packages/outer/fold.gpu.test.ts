// The fold in a browser: the same bits as in Node, or the swarm would part.
import { expect, test } from "vitest";
import { AWKWARD, awkwardHashes, PLAIN, plainHashes } from "./golden-fold.ts";

test("the golden folds have the same hashes in Chromium", () => {
  expect(plainHashes()).toEqual(PLAIN);
  expect(awkwardHashes()).toEqual(AWKWARD);
});
