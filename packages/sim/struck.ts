// What can go wrong in a simulation, and how often it did. A fault counts where it strikes: when the frame is cut short, when the lie
// is heard; not when it is drawn.

/** By kind: how often it must strike per fuzz seed at least, on average over a few hundred; a rate of 0.1 is every tenth seed. */
export const faultRates = {
  "peer-crash": 1, //         a tab is gone from one moment to the next, and is opened again
  "peer-write-lost": 0.3, //  its store had not synced a blob
  "host-crash": 0.3, //       kill -9, or the power
  "entry-lost": 0.02, //      written, not synced, not there afterwards
  "entry-torn": 0.02, //      half of it is there
  "blob-write-lost": 0.05, // an upload that the host had not synced
  "backup-restored": 0.1, //  it comes back with an older log, in the calm: else nobody might be left who knows its end
  "disk-full": 0.1, //        the host refuses uploads
  "blob-rotted": 0.03, //     a synced blob of a pending commit is gone: the commit is voided
  "socket-cut": 0.5, //         control sockets
  "message-lost": 1, //       under way when its socket was cut
  "message-late": 0.5, //       a spike of jitter: everything behind it waits, as in TCP
  "one-way": 1, //            held up by a partition in this direction alone
  "link-cut": 0.5,
  "frame-lost": 0.5,
  "frame-doubled": 0.5,
  "frame-late": 0.5, //       overtaken
  "frame-changed": 0.5, //    a byte
  "frame-cut": 0.5, //        its end
  "request-failed": 0.5, //   on its way there, or its answer
  "request-doubled": 0.2, //  the host sees it twice
  offline: 0.3, //            no way to the host for some seconds; links stay
  slow: 0.3, //               a device that throttles
  stutter: 0.5, //              a pause for garbage: inputs come in a bunch
  "host-stutter": 0.2,
  "sleep-still": 0.2, //      a lid is closed, and the monotonic clock stands still
  "sleep-counted": 0.2, //    and it jumps
  paused: 0.3, //             by its person
  "device-lost": 0.3, //      a GPU, and what was trained on it since its parameters were read
  "bad-update": 0.02, //       does not decode
  "wrong-fold": 0.1, //       broken memory
  "wrong-attest": 0.03, //     from here on: peers that lie
  "stale-base": 0.02,
  "inflated-tokens": 0.03,
  "withheld-blob": 0.03, //    offered to the host, served to nobody
  equivocation: 0.05,
  garbage: 0.3, //              messages out of place
  "garbage-frame": 0.5,
  "relay-cut": 0.03, //        a relayed link ends because one end's line, or the host, is gone
  "relayed-link": 0.5, //      was made
  "group-named": 0.2, //       no faults from here on, but what faults strike in their own way: a commit names a group
  "blob-in-pieces": 2, //      came from peers, piece by piece
  "pair-met": 2, //            a peer folded its partner's update
  "kept-by-peers": 0.3, //     a round was sealed whose updates the host never had
} as const;

export type FaultKind = keyof typeof faultRates;
export const faultKinds = Object.keys(faultRates) as FaultKind[];
export type Struck = Record<FaultKind, number>;
export const noneStruck = (): Struck => Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Struck;
export type Strike = (kind: FaultKind) => void;
