// The sequencer counts who is here, ready, missing and awaited, so that an input costs the same in a swarm of any size. Here is the look at
// everybody that it saves, to compare: a set that was forgotten in one place is a round that never closes.
//
//   sequencer -> each set as a scan of all sessions finds it -> the first that differs
import type { Sequencer } from "#swarm";
import type { PeerId } from "#wire";

export function tallyFault(sequencer: Sequencer): string | undefined {
  const { log } = sequencer;
  const { here } = sequencer["visits"];
  const round = sequencer["round"];
  const sealing = sequencer["sealing"];
  const sessions = [...here.all].map(([peer, session]) => ({ peer, ...session }));
  const { commit } = log;
  const counted = new Set(round.offers.counted().map(({ peer }) => peer));
  const rostered = sessions.filter(({ peer }) => round.roster.has(peer));
  const missing = rostered.filter(({ peer, willing }) => willing && !counted.has(peer));
  const silent = (peer: PeerId): boolean =>
    round.roster.has(peer) && !round.offers.has(peer) && !commit?.contributors.some((c) => c.peer === peer);
  const awaited = sessions.filter(
    ({ peer, willing, paused, foldedRound }) =>
      commit !== undefined &&
      !log.pairs &&
      !sealing["attested"].has(peer) &&
      !silent(peer) &&
      ((willing && foldedRound === commit.round) || (sealing["back"] && !paused && round.roster.has(peer))),
  );
  const awake = sessions.filter(({ paused, bye }) => !paused && bye === undefined);
  const now = log.round;
  if (awake.filter(({ foldedRound }) => foldedRound !== now).length !== here.awakeElsewhere(now))
    return `${here.awakeElsewhere(now)} are awake elsewhere than at round ${now}`;
  const willing = sessions.filter((session) => session.willing);
  const ofOpen: [string, ReadonlySet<PeerId>, { peer: PeerId }[]][] = [
    ["present", round["present"], rostered],
    ["missing", round["missing"], missing],
    ["hollow", round["hollow"], missing.filter(({ peer }) => round.offers.has(peer))],
    ["overdue", round["overdue"], missing.filter(({ overdueSince }) => overdueSince !== undefined)],
    ["departed", round["departed"], rostered.filter((s) => !s.willing && (s.paused || s.bye !== undefined))],
    ["newcomers", round["newcomers"], willing.filter((s) => !round.roster.has(s.peer) && s.foldedRound === now)],
  ];
  const all: typeof ofOpen = [
    ["willing", here.willing, willing],
    ["ready", here.willingAt(now), willing.filter(({ foldedRound }) => foldedRound === now)],
    ["a round behind", here.willingAt(now - 1), willing.filter(({ foldedRound }) => foldedRound === now - 1)],
    ["awaited", sealing["awaited"], awaited],
    ...(log.open !== undefined && commit === undefined ? ofOpen : []), // nobody asks at other times
  ];
  for (const [what, set, found] of all)
    if (set.size !== found.length || found.some(({ peer }) => !set.has(peer)))
      return `${set.size} are ${what} by count, and ${found.length} in truth`;
  return undefined;
}
