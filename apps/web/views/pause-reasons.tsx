// Why training is paused right now: every reason, and when it ends. What waits for the person's word has a button for it.
import type { PauseReason } from "../controls/decide.ts";
import type { PageActions } from "../page-state.ts";
import { clockOf } from "../words/controls-en.ts";
import { useWords, type Words } from "../words/index.ts";
import type { DonationCost } from "./estimate.ts";

function pauseWords({ pause, format: { bytes, share } }: Words, reason: PauseReason): string {
  switch (reason.code) {
    case "by-hand":
      return pause.byHand;
    case "unplugged":
      return pause.unplugged;
    case "battery-low":
      return pause.batteryLow(share(reason.level, 1), share(reason.min, 1));
    case "hidden":
      return pause.hidden;
    case "in-use":
      return pause.inUse;
    case "idle-unknown":
      return pause.idleUnknown;
    case "metered":
      return pause.metered;
    case "network-unknown":
      return pause.networkUnknown;
    case "daily-cap":
      return pause.dailyCap(bytes(reason.bytes), bytes(reason.max));
    case "quiet-hours":
      return pause.quietHours(clockOf(reason.untilMinute));
  }
}

interface Props {
  readonly because: readonly PauseReason[];
  readonly label: string;
  readonly cost: DonationCost | null;
  readonly actions: Pick<PageActions, "allowNetwork">;
}

export const PauseReasons = ({ because, label, cost, actions }: Props) => {
  const words = useWords();
  const { pause, format } = words;
  return because.length === 0 ? null : (
    <ul className="pause-reasons" aria-label={label}>
      {because.map((reason) => (
        <li key={reason.code} data-code={reason.code}>
          {pauseWords(words, reason)}
          {reason.code === "metered" || reason.code === "network-unknown" ? (
            <>
              {cost?.perHour
                ? ` ${pause.networkCost(format.bytes(cost.perHour.sent), format.bytes(cost.perHour.received))}`
                : null}
              <button type="button" className="small" onClick={actions.allowNetwork}>
                {pause.useNetwork}
              </button>
            </>
          ) : null}
        </li>
      ))}
    </ul>
  );
};
