// What donating means, in amounts. Shown before the button, and reachable afterwards.
import type { DonationCost } from "./estimate.ts";
import { bytes, duration } from "./format.ts";

const network = ({ perHour, sentPerRound, receivedPerRound }: DonationCost, others: number): string => {
  const company = others === 0 ? "alone" : `with ${others === 1 ? "one other peer" : `${others} other peers`}`;
  return perHour === null
    ? `About ${bytes(sentPerRound)} sent and ${bytes(receivedPerRound)} received per round, ${company}; how many rounds fit into an hour, this run has not shown yet.`
    : `About ${bytes(perHour.sent)} sent and ${bytes(perHour.received)} received per hour, ${company} and at ${duration(perHour.roundMs)} a round.`;
};

export const Terms = ({ others, cost }: { others: number; cost: DonationCost }) => {
  return (
    <dl className="terms">
      <div>
        <dt>GPU and battery</dt>
        <dd>
          This tab computes until you pause or close it. Expect fan noise and a warm machine; a laptop should be plugged
          in.
        </dd>
      </div>
      <div>
        <dt>Network</dt>
        <dd>
          {network(cost, others)} Once, up to {bytes(cost.onceBytes)} of text and model. Mind a metered line.
        </dd>
      </div>
      <div>
        <dt>Privacy</dt>
        <dd>
          Your IP address is visible to the other peers and to the host. They also see your adapter’s name and the name
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
