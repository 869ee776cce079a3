// The norm of a gradient whose parts several members have: clipping is by all of it.
import type { Crossing } from "../device/crossing.ts";
import type { Plan, View } from "../device/plan.ts";
import type { IslandSquares } from "../model/step-passes.ts";
import { exchangeNumbers } from "./all-reduce.ts";
import type { Lane } from "./port.ts";

export interface Squares {
  readonly plan: Plan;
  readonly places: IslandSquares;
  readonly view: View;
}

export class GradientNorm {
  readonly #crossing: Crossing;
  readonly #squares: Squares;
  readonly #lane: Lane;
  readonly #staging: GPUBuffer;

  constructor(crossing: Crossing, squares: Squares, lane: Lane) {
    this.#crossing = crossing;
    this.#squares = squares;
    this.#lane = lane;
    this.#staging = crossing.staging("squares", squares.view.length * 4);
  }

  /** Puts the square of the whole gradient's norm where the report adds up partial sums. What is everybody's counts as rank 0 has it. */
  async share(): Promise<void> {
    const { plan, places, view } = this.#squares;
    const staging = this.#staging;
    plan.replay((encoder) => encoder.copyBufferToBuffer(view.buffer, 0, staging, 0, staging.size));
    let own: [everybodys: number, cut: number] = [0, 0];
    await this.#crossing.map(staging, (mapped) => {
      const partials = new Float32Array(mapped);
      const sumOf = (ranges: IslandSquares["own"]): number =>
        ranges.reduce(
          (sum, { offset, length }) => partials.subarray(offset, offset + length).reduce((a, b) => a + b, sum),
          0,
        );
      own = [sumOf(places.everybodys), sumOf(places.own)];
    });
    const sums = await exchangeNumbers(this.#lane, own);
    const square = sums.reduce((sum, [, cut]) => sum + cut, sums[0][0]);
    this.#crossing.device.queue.writeBuffer(view.buffer, 0, Float32Array.of(square));
  }
}
