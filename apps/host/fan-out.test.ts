import { expect, test } from "vitest";
import { FanOut, SLICE } from "./fan-out.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

function written() {
  const heard = new Map<number, string[]>();
  const fanOut = new FanOut<number>((receiver, text) => heard.set(receiver, [...(heard.get(receiver) ?? []), text]));
  return { heard, fanOut };
}
const receivers = Array.from({ length: 2 * SLICE + 1 }, (_, i) => i);

test("a small swarm is told at once", () => {
  const { heard, fanOut } = written();
  fanOut.send([1, 2], "open");
  expect([...heard]).toEqual([
    [1, ["open"]],
    [2, ["open"]],
  ]);
});

test("a large one is told in slices, and what else happens comes between", async () => {
  const { heard, fanOut } = written();
  fanOut.send(receivers, "open");
  expect(heard.size).toBe(SLICE);
  await turn();
  expect(heard.size).toBe(2 * SLICE);
  await turn();
  expect(heard.size).toBe(receivers.length);
});

test("each receiver's texts keep their order, also around a word to it alone", async () => {
  const { heard, fanOut } = written();
  fanOut.send(receivers, "open");
  fanOut.send(receivers, "commit");
  const last = receivers.at(-1)!;
  fanOut.flush(last); // as whoever writes to it does
  heard.get(last)!.push("alone");
  fanOut.send(receivers, "seal");
  for (let i = 0; i < 4; i++) await turn();
  expect(heard.get(last)).toEqual(["open", "commit", "alone", "seal"]);
  for (const receiver of receivers.slice(0, -1)) expect(heard.get(receiver)).toEqual(["open", "commit", "seal"]);
});

test("who is gone is written nothing", async () => {
  const { heard, fanOut } = written();
  fanOut.send(receivers, "open");
  fanOut.forget(receivers.at(-1)!);
  for (let i = 0; i < 3; i++) await turn();
  expect(heard.size).toBe(receivers.length - 1);
});
