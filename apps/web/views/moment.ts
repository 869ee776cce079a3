// What is looked at: the run now, or as it was after a round of the past.
import type { Moment } from "#wire";
import type { WatcherSnapshot } from "../window/types.ts";

/** null: live, also while the host has not yet told the round that was asked for. */
export const shownOf = ({ moment, momentAsked }: Pick<WatcherSnapshot, "moment" | "momentAsked">): Moment | null =>
  momentAsked === null ? null : moment;
