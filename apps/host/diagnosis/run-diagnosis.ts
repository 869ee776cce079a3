// What slows one run's rounds, looked at after each seal: samples from its round book and its peers' link reports.
import type { Diagnosis, Finding, PeerId, PeerRow, RoundTimes } from "#wire";
import type { Report } from "../report.ts";
import { diagnose, type LinkSample, type RoundSample } from "./diagnose.ts";

/** A few minutes: who was slow an hour ago is no news, and a hiccup is a twentieth. */
const WINDOW_ROUNDS = 20;
/** Peers whose links are followed: as many as a round's story has rows. */
const PEERS_MAX = 64;
/** Findings that are told: a screen of them. */
const FINDINGS_MAX = 16;
/** Between a seal and the next open the host waits for who is not ready; more than this is a run that rests. */
const REST_MS = 60_000;
/** The operator hears of the same thing again after so long. */
const TELL_AGAIN_MS = 30 * 60_000;
const TOLD_MAX = 256;

export interface RunDiagnosisOptions {
  readonly rounds: { readonly length: number; of(round: number): RoundTimes | undefined };
  /** Who is connected, with its links. */
  readonly peers: () => readonly Pick<PeerRow, "id" | "links">[];
  readonly nameOf: (peer: PeerId) => string;
  readonly now: () => number;
  readonly report: Report;
}

type Bytes = ReadonlyMap<string, number>; // received since the link opened, by reporter and far end

const keyOf = (peer: PeerId, other: PeerId): string => `${peer} ${other}`;

export class RunDiagnosis {
  readonly #options: RunDiagnosisOptions;
  readonly #bytes: Bytes[] = []; // after each of the window's rounds, oldest first
  readonly #toldAt = new Map<string, number>();
  #newest: Diagnosis = { rounds: 0, medianRoundMs: null, findings: [] };

  constructor(options: RunDiagnosisOptions) {
    this.#options = options;
  }

  get newest(): Diagnosis {
    return this.#newest;
  }

  /** A round was sealed. */
  sealed(): void {
    const peers = this.#options.peers().slice(0, PEERS_MAX);
    const links = this.#links(peers);
    const rounds = this.#samples();
    const took = rounds.map(({ openedAt, sealedAt }) => sealedAt - openedAt).sort((a, b) => a - b);
    const found = diagnose(rounds, links);
    const { nameOf } = this.#options;
    this.#newest = {
      rounds: rounds.length,
      medianRoundMs: took.length === 0 ? null : took[took.length >> 1],
      findings: found.slice(0, FINDINGS_MAX).map((finding) => ({
        ...finding,
        name: nameOf(finding.peer),
        otherName: finding.other === null ? "" : nameOf(finding.other),
      })),
    };
    for (const finding of this.#newest.findings) this.#tell(finding);
  }

  #samples(): RoundSample[] {
    const { rounds } = this.#options;
    const from = Math.max(0, rounds.length - WINDOW_ROUNDS);
    const samples: RoundSample[] = [];
    let before = rounds.of(from - 1);
    for (let round = from; round < rounds.length; round++) {
      const times = rounds.of(round);
      const sample = times && sampleOf(times, before);
      if (sample !== undefined) samples.push(sample);
      before = times;
    }
    return samples;
  }

  /** What came over each link during the window. One that opened within it counts from its opening. */
  #links(peers: readonly Pick<PeerRow, "id" | "links">[]): LinkSample[] {
    const oldest = this.#bytes[0];
    const now = new Map<string, number>();
    const samples = peers.flatMap(({ id, links }) =>
      links.map(({ peer: other, bytesReceived, rttMs }): LinkSample => {
        const before = oldest?.get(keyOf(id, other)) ?? 0;
        now.set(keyOf(id, other), bytesReceived);
        return { peer: id, other, rttMs, bytesReceived: bytesReceived - (before > bytesReceived ? 0 : before) };
      }),
    );
    this.#bytes.push(now);
    if (this.#bytes.length > WINDOW_ROUNDS) this.#bytes.shift();
    return samples;
  }

  #tell(finding: Diagnosis["findings"][number]): void {
    const key = `${finding.cause} ${finding.peer} ${finding.other}`;
    const now = this.#options.now();
    if (now - (this.#toldAt.get(key) ?? Number.NEGATIVE_INFINITY) < TELL_AGAIN_MS) return;
    this.#toldAt.delete(key);
    this.#toldAt.set(key, now);
    if (this.#toldAt.size > TOLD_MAX) this.#toldAt.delete(this.#toldAt.keys().next().value!);
    this.#options.report(findingLine(finding), "warn");
  }
}

/** Undefined: it is not sealed, or was of before this host's memory. */
function sampleOf(times: RoundTimes, before: RoundTimes | undefined): RoundSample | undefined {
  const { openedAt, committedAt, sealedAt, peers } = times;
  if (committedAt === null || sealedAt === null || peers.every(({ offeredAt }) => offeredAt === null)) return undefined;
  const sealedBeforeAt = before?.sealedAt ?? null;
  const rested = sealedBeforeAt === null || openedAt - sealedBeforeAt > REST_MS;
  return {
    ...{ openedAt, committedAt, sealedAt, sealedBeforeAt: rested ? null : sealedBeforeAt },
    peers: peers.map(({ peer, readyAt = null, offeredAt, uploadMs = null, foldedAt }) => ({
      ...{ peer, readyAt, offeredAt, uploadMs, foldedAt },
    })),
  };
}

const causes: Readonly<Record<Finding["cause"], string>> = {
  "joins-late": "is ready late",
  "trains-slowly": "trains slowly",
  "uploads-slowly": "uploads slowly",
  "fetches-slowly": "fetches or folds slowly",
  "link-stalls": "is slow",
};

/** For terminals: in English, as all that a host tells its operator. */
export function findingLine({
  kind,
  peer,
  other,
  cause,
  secondsPerRound,
  rounds,
  of,
  name,
  otherName,
}: Diagnosis["findings"][number]): string {
  const called = (id: PeerId, who: string) => (who === "" ? id.slice(0, 8) : `${who} (${id.slice(0, 8)})`);
  const what =
    kind === "link"
      ? `The link from ${called(other ?? "", otherName)} to ${called(peer, name)}`
      : `Peer ${called(peer, name)}`;
  return `${what} ${causes[cause]}: it costs ${secondsPerRound.toFixed(1)} s a round, in ${rounds} of the last ${of} rounds.`;
}
