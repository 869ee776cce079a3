// What donating means, in amounts. Shown before the button, and reachable afterwards.
import type { MemoryNeed } from "../memory-need.ts";
import type { DonationCost } from "./estimate.ts";
import { bytes, duration } from "./format.ts";

/** What an unmeasured run is reckoned with; the sentence says so. */
const ROUNDS_PER_HOUR_UNMEASURED = 60;

function network({ perHour, sentPerRound, receivedPerRound, updateBytes }: DonationCost, others: number): string {
  const company =
    others === 0
      ? "while you are alone"
      : others === 1
        ? "with the one other peer here"
        : `with the ${others} other peers here`;
  const roundsPerHour = perHour ? 3_600_000 / perHour.roundMs : ROUNDS_PER_HOUR_UNMEASURED;
  const amounts = `${bytes(sentPerRound * roundsPerHour)} sent and ${bytes(receivedPerRound * roundsPerHour)} received per hour`;
  const pace = perHour
    ? `at ${duration(perHour.roundMs)} a round, as of late`
    : "if a round takes a minute (none has been measured)";
  return `About ${amounts} ${company}, ${pace}. Every further peer adds ${bytes(updateBytes * roundsPerHour)} each way.`;
}

/** Less than this part of it is not worth a second number. */
const MUCH_LESS = 0.8;

function gpuMemory({ mostBytes, leastBytes }: MemoryNeed): string {
  const less =
    leastBytes < MUCH_LESS * mostBytes ? `, or ${bytes(leastBytes)} where that is not free, more slowly` : "";
  return `${bytes(mostBytes)} of the GPU’s memory${less}.`;
}

interface TermsProps {
  readonly others: number;
  readonly cost: DonationCost;
  readonly memory: MemoryNeed | null;
}

export const Terms = ({ others, cost, memory }: TermsProps) => {
  return (
    <dl className="terms">
      <div>
        <dt>GPU and battery</dt>
        <dd>
          This tab computes until you pause or close it: a warm machine, fan noise, more power. Plug a laptop in.
          {memory ? ` It takes ${gpuMemory(memory)}` : ""}
        </dd>
      </div>
      <div>
        <dt>Network</dt>
        <dd>
          {network(cost, others)} Once, up to {bytes(cost.onceBytes)} of text and model.
        </dd>
      </div>
      <div>
        <dt>Privacy</dt>
        <dd>
          Your IP address is visible to the other peers and to the host, and so are your adapter’s name and the name
          that you choose. Nothing else on this machine is read.
        </dd>
      </div>
      <div>
        <dt>Storage</dt>
        <dd>
          The browser keeps the text and a random key, which your credit belongs to. Clearing this site’s data deletes
          both.
        </dd>
      </div>
    </dl>
  );
};
