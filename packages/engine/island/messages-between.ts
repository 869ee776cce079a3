// Keys, values and their gradients between a rank's device and the others: out of a buffer and away while the device goes on, and in before it does.
import type { Crossing } from "../device/crossing.ts";
import { elementBytes, type ReceivePoint, type SendPoint, type View } from "../device/plan.ts";
import { counted, type ExchangeTotals, NO_EXCHANGES } from "./lanes.ts";
import { type Lane, receiveBytes } from "./port.ts";

export class MessagesBetween {
  readonly #crossing: Crossing;
  readonly #lane: Lane;
  readonly #free: GPUBuffer[];
  readonly #totals = { ...NO_EXCHANGES };
  #sent: Promise<void> = Promise.resolve();
  #waiting: (() => void) | undefined;

  /** @param bytes of the largest message @param inFlight messages that may wait for the device at once */
  constructor(crossing: Crossing, lane: Lane, bytes: number, inFlight: number) {
    this.#crossing = crossing;
    this.#lane = counted(lane, this.#totals);
    this.#free = Array.from({ length: inFlight }, () => crossing.staging("message", bytes));
  }

  get totals(): ExchangeTotals {
    return { ...this.#totals };
  }

  /** What is queued so far leaves; resolves when more may be queued. Rejects when the device fails. */
  async send(point: SendPoint): Promise<void> {
    if (this.#free.length === 0) await Promise.race([this.#sent, new Promise<void>((free) => (this.#waiting = free))]);
    const staging = this.#free.pop();
    if (!staging) throw new Error("no staging buffer is free, though one was given back");
    const { buffer, from, bytes } = rangeOf(point.send);
    const { device } = this.#crossing;
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, from, staging, 0, bytes);
    device.queue.submit([encoder.finish()]);
    const before = this.#sent;
    this.#sent = before.then(() => this.#leave(staging, point, bytes));
    this.#sent.catch(() => {}); // whoever waits next hears of it
  }

  async #leave(staging: GPUBuffer, { send, sequences, ranks }: SendPoint, bytes: number): Promise<void> {
    await this.#crossing.map(staging, (mapped) => {
      for (const { rank, elements } of ranks) {
        const message = new Uint8Array(sequences * elements * elementBytes(send));
        for (let s = 0; s < sequences; s++) {
          const part = new Uint8Array(mapped, (s * bytes) / sequences, message.length / sequences);
          message.set(part, (s * message.length) / sequences);
        }
        this.#lane.send(rank, message);
      }
    });
    this.#free.push(staging);
    this.#waiting?.();
    this.#waiting = undefined;
  }

  /** The next message of a rank; rejects with IslandLostError. */
  async receive({ receive, rank }: ReceivePoint): Promise<void> {
    const { buffer, from, bytes } = rangeOf(receive);
    const asked = performance.now();
    const message = await receiveBytes(this.#lane, rank, bytes);
    this.#totals.exchanges++;
    this.#totals.ms += performance.now() - asked;
    this.#crossing.device.queue.writeBuffer(buffer, from, message);
  }

  /** Everything has left. Rejects when the device fails. */
  sent(): Promise<void> {
    return this.#sent;
  }
}

function rangeOf(view: View): { readonly buffer: GPUBuffer; readonly from: number; readonly bytes: number } {
  const bytes = elementBytes(view);
  return { buffer: view.buffer, from: view.offset * bytes, bytes: view.length * bytes };
}
