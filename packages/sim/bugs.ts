// Planted bugs: each changes one decision of the real core in the swarm of one simulation, and the fuzzer must find it. A checker
// that finds none of them checks nothing. Private parts are reached by their names in brackets: nothing in the core knows of this file.
//
//   bug -> a hand on each peer, sequencer or adapter as it begins -> fuzz, seed by seed -> the first seed that fails
import type { Exchange, Peer, PeerOutput, Sequencer, SequencerOutput } from "#swarm";
import type { EntryOf } from "#wire";
import type { HostNode } from "./host-node.ts";
import type { ReplicaNode } from "./replica-node.ts";

/** A hand on what begins to live in a simulation. */
export interface Plant {
  readonly peer?: (peer: Peer) => void;
  readonly sequencer?: (sequencer: Sequencer) => void;
  readonly host?: (host: HostNode) => void; //          once
  readonly replica?: (replica: ReplicaNode) => void;
  readonly exchange?: (exchange: Exchange) => void;
}

export interface Bug extends Plant {
  readonly name: string;
  /** What goes wrong, in a sentence. */
  readonly what: string;
}

/** Changes what comes out of a core. */
function outputsOf<Output>(
  core: { step: (now: number, input: never) => Output[] },
  change: (output: Output) => Output[],
) {
  const step = core.step.bind(core);
  core.step = (now, input) => step(now, input).flatMap(change);
}
const peerOutputs = (change: (output: PeerOutput) => PeerOutput[]) => (peer: Peer) => outputsOf(peer, change);

export const bugs: readonly Bug[] = [
  {
    name: "double-commit",
    what: "the sequencer asks for each commit to be appended twice",
    sequencer: (sequencer) =>
      outputsOf<SequencerOutput>(sequencer, (output) =>
        output.type === "append" && output.body.type === "commit" ? [output, output] : [output],
      ),
  },
  {
    name: "acknowledged-before-synced",
    what: "an entry is broadcast when it is written, before it is synced",
    host: (host) => {
      const write = host.disk.write.bind(host.disk);
      const input = host.input.bind(host);
      let told = -1;
      host.disk.write = (entry) => {
        write(entry);
        host.time.after(0, () => {
          told = entry.seq;
          input({ type: "appended", entry });
        });
      };
      host.input = (given) => {
        if (given.type !== "appended" || given.entry.seq > told) input(given);
      };
    },
  },
  {
    name: "mark-advanced-when-unnamed",
    what: "a peer takes its offer for counted, whatever the commit names",
    peer: peerOutputs((output) => [output.type === "fold" ? { ...output, named: true } : output]),
  },
  {
    name: "own-update-twice",
    what: "a peer keeps work that the commit has counted, and so offers it again",
    peer: peerOutputs((output) => [output.type === "fold" ? { ...output, named: false } : output]),
  },
  {
    name: "lost-carry",
    what: "work that no commit named is dropped at the fold",
    replica: (replica) => {
      const fold = replica.fold.bind(replica);
      replica.fold = (commit, named, anchorHash) => {
        fold(commit, named, anchorHash);
        replica["local"].set(replica["replica"].anchor);
      };
    },
  },
  {
    name: "unsorted-combine",
    what: "a peer sums contributions in the order in which it likes",
    peer: peerOutputs((output) => {
      if (output.type !== "fold") return [output];
      const contributors = [...output.commit.contributors].reverse();
      return [{ ...output, commit: { ...output.commit, contributors } }];
    }),
  },
  {
    name: "pairs-of-its-own",
    what: "a peer draws other pairs from a commit than the others do",
    peer: (peer) => Object.assign(peer["pairing"], { seed: Number.parseInt(peer["self"].slice(0, 8), 16) }),
  },
  {
    name: "work-lost-in-pairs",
    what: "a peer that no commit names goes on without what it has trained",
    replica: (replica) => {
      const foldPair = replica.foldPair.bind(replica);
      replica.foldPair = (commit, updates) => {
        foldPair(commit, updates);
        if (updates.length === 0) replica["local"].set(replica["replica"].anchor);
      };
    },
  },
  {
    name: "stale-base-accepted",
    what: "an offer counts whose update starts from another anchor",
    sequencer: (sequencer) => acceptFault(sequencer, "starts from another anchor"),
  },
  {
    name: "tokens-not-capped",
    what: "an offer counts with more tokens than its steps hold",
    sequencer: (sequencer) => acceptFault(sequencer, "tokens are more than"),
  },
  {
    name: "equivocation-accepted",
    what: "a peer's second offer for an open takes the place of its first",
    sequencer: (sequencer) => {
      const { offers } = sequencer["round"];
      const take = offers.take.bind(offers);
      offers.take = (from, offer) => {
        offers["offerByPeer"].delete(from);
        return take(from, offer);
      };
    },
  },
  {
    name: "attesters-not-compared",
    what: "whoever attests something is named in the seal",
    sequencer: (sequencer) => {
      const writer = sequencer["writer"];
      const append = writer.append.bind(writer);
      writer.append = ({ body, ...rest }) => {
        const attesters = [...sequencer["sealing"]["attested"].keys()].sort();
        append({ ...rest, body: body.type === "seal" ? { ...body, attesters } : body });
      };
    },
  },
  {
    name: "void-not-restored",
    what: "a peer that has folded a commit stays there when the commit is voided",
    peer: (peer) => {
      const entry = peer["entry"].bind(peer);
      peer["entry"] = (now, given) => {
        if (given.type !== "void") entry(now, given);
      };
    },
  },
  {
    name: "catch-up-skips-a-round",
    what: "a peer that is two rounds behind folds the newer one",
    peer: (peer) => {
      const follower = peer["follower"];
      const next = follower.nextCommit.bind(follower);
      follower.nextCommit = (): EntryOf<"commit"> | undefined => {
        const commit = next();
        if (commit === undefined || commit.round + 1 >= peer.log.round) return commit;
        return peer.log.sealedByRound.get(commit.round + 1)?.commit ?? commit;
      };
    },
  },
  {
    name: "leak",
    what: "the host never forgets what was uploaded for rounds long past",
    sequencer: (sequencer) => {
      sequencer["round"].offers["bytesByBlob"].clear = () => {};
    },
  },
  {
    name: "served-for-ever",
    what: "a peer's exchange keeps what it served for rounds long past",
    exchange: (exchange) => {
      exchange["serving"].drop = () => {};
    },
  },
  {
    name: "backup-believed",
    what: "a host takes its own log for the longest, whatever its peers say",
    sequencer: (sequencer) => {
      sequencer["recovery"].head = () => {};
    },
  },
  {
    name: "retry-without-backoff",
    what: "an upload that failed is tried again at once, as often as it fails",
    peer: (peer) => {
      const work = peer["work"];
      const failed = work.uploadFailed.bind(work);
      work.uploadFailed = (now, hash) => {
        failed(now, hash);
        if (work["made"]?.uploadAt !== undefined) work["made"].uploadAt = now;
      };
    },
  },
  {
    name: "lost-device-ignored",
    what: "a peer takes steps for done that went with its device",
    peer: (peer) => {
      const work = peer["work"];
      work.lost = () => {
        work["job"] = undefined;
      };
    },
  },
  {
    name: "link-never-retried",
    what: "a link that failed once is given up",
    peer: (peer) => {
      const links = peer["links"];
      const advance = links.advance.bind(links);
      links.advance = (now, canSignal, wake) => {
        for (const link of links["linkByPeer"].values())
          if (link.state === "down") link.until = Number.POSITIVE_INFINITY;
        return advance(now, canSignal, wake);
      };
    },
  },
  {
    name: "deadline-ratchet",
    what: "each deadline is a little longer than the one before, and never shorter",
    sequencer: (sequencer) => {
      const pace = sequencer["round"]["pace"];
      const deadlineMs = pace.deadlineMs.bind(pace);
      let before = 0;
      pace.deadlineMs = (roster, announcedMs, minMs, maxMs) => {
        before = Math.min(maxMs, Math.max(Math.round(1.1 * before), deadlineMs(roster, announcedMs, minMs, maxMs)));
        return before;
      };
    },
  },
  {
    name: "waits-for-the-gone",
    what: "a round has no deadline: whoever is awaited and does not come stops it",
    sequencer: (sequencer) => {
      const round = sequencer["round"];
      const opened = round.opened.bind(round);
      round.opened = (now, open) => {
        opened(now, open);
        round["deadlineAt"] = Number.POSITIVE_INFINITY;
      };
    },
  },
];

/** The sequencer lets offers with this fault pass. */
function acceptFault(sequencer: Sequencer, words: string): void {
  const { log } = sequencer;
  const fault = log["contributionFault"].bind(log);
  log["contributionFault"] = (open, offer) => {
    const found = fault(open, offer);
    return found?.includes(words) ? undefined : found;
  };
}
