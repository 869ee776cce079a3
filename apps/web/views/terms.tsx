// What donating means, in amounts. Shown before the button, and reachable afterwards.
import type { MemoryNeed } from "../memory-need.ts";
import { useWords, type Words } from "../words/index.ts";
import type { DonationCost } from "./estimate.ts";

/** What an unmeasured run is reckoned with; the sentence says so. */
const ROUNDS_PER_HOUR_UNMEASURED = 60;

function network({ terms, format }: Words, cost: DonationCost, others: number): string {
  const { perHour, sentPerRound, receivedPerRound, updateBytes } = cost;
  const roundsPerHour = perHour ? 3_600_000 / perHour.roundMs : ROUNDS_PER_HOUR_UNMEASURED;
  return terms.amounts(
    format.bytes(sentPerRound * roundsPerHour),
    format.bytes(receivedPerRound * roundsPerHour),
    terms.company(others),
    perHour ? terms.paceMeasured(format.duration(perHour.roundMs)) : terms.paceAssumed,
    format.bytes(updateBytes * roundsPerHour),
  );
}

/** Less than this part of it is not worth a second number. */
const MUCH_LESS = 0.8;

function gpuMemory({ terms, format }: Words, { mostBytes, leastBytes, ranks }: MemoryNeed): string {
  if (ranks > 1) return terms.memoryShared(format.bytes(mostBytes), ranks);
  const less = leastBytes < MUCH_LESS * mostBytes ? format.bytes(leastBytes) : null;
  return terms.memoryText(format.bytes(mostBytes), less);
}

interface TermsProps {
  readonly others: number;
  readonly cost: DonationCost;
  readonly memory: MemoryNeed | null;
  /** The person hides this machine's address from other volunteers. */
  readonly hidden: boolean;
}

export const Terms = ({ others, cost, memory, hidden }: TermsProps) => {
  const words = useWords();
  const { terms, format } = words;
  return (
    <dl className="terms">
      <div>
        <dt>{terms.power}</dt>
        <dd>
          {terms.powerText}
          {memory ? ` ${gpuMemory(words, memory)}` : ""}
        </dd>
      </div>
      <div>
        <dt>{terms.network}</dt>
        <dd>
          {network(words, cost, others)} {terms.serves} {terms.once(format.bytes(cost.onceBytes))}
        </dd>
      </div>
      <div>
        <dt>{terms.privacy}</dt>
        <dd>{hidden ? terms.privacyHidden : `${terms.privacyText} ${terms.privacyHide}`}</dd>
      </div>
      <div>
        <dt>{terms.storage}</dt>
        <dd>{terms.storageText}</dd>
      </div>
    </dl>
  );
};
