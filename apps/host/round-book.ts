// Who did what when, round by round, for watchers: times that the log has, and what this host hears between them.
//
//   entry (open, commit, seal, void) | offer, progress, attest of a peer -> RoundTimes       wall clock throughout, for display only
import {
  countOfAttesters,
  type EntryOf,
  type LogEntry,
  type PeerId,
  type PeerMessage,
  ROUND_PEERS_MAX,
  type RoundPeer,
  type RoundTimes,
  type RunSpec,
  sizeOfRoster,
} from "#wire";

/** Rounds whose offers and folds are kept: an hour of rounds of ten seconds. 64 peers each are 4 MB in all. */
const ROUNDS_KEPT = 360;
/** A seal follows its commit, and a commit its open, but evaluations and checkpoints of older rounds may come between. */
const ENTRIES_BETWEEN_MAX = 64;

/** Updates whose way to the host is remembered until they are offered: more than one round has. */
const UPLOADS_MAX = 4_096;
/** Who said last that it is ready. */
const READY_MAX = 16_384;

interface Row {
  readonly readyAt: number | null;
  uploadMs: number | null;
  offeredAt: number | null;
  busyUntil: number | null;
  folded: { readonly at: number; readonly anchorHash: string } | null;
  named: boolean;
  tokens: number;
  loss: number | null;
  bytes: number;
}

interface Kept {
  readonly open: EntryOf<"open">;
  commit: EntryOf<"commit"> | undefined;
  seal: EntryOf<"seal"> | undefined;
  voided: EntryOf<"void"> | undefined;
  readonly rowByPeer: Map<PeerId, Row>;
  peers: number; // also of whom no row is kept
}

export class RoundBook {
  readonly #entries: readonly LogEntry[];
  readonly #overlap: boolean;
  readonly #nameOf: (peer: PeerId) => string;
  readonly #kept = new Map<number, Kept>();
  readonly #sealSeqs: number[] = []; // by round
  readonly #moved = new Set<number>();
  readonly #uploadMsByBlob = new Map<string, number>(); // oldest first
  readonly #readyByPeer = new Map<PeerId, { readonly round: number; readonly at: number }>(); // oldest first

  constructor(entries: readonly LogEntry[], spec: RunSpec, nameOf: (peer: PeerId) => string) {
    this.#entries = entries;
    this.#overlap = spec.rounds.overlap ?? false;
    this.#nameOf = nameOf;
  }

  /** Rounds sealed. */
  get length(): number {
    return this.#sealSeqs.length;
  }

  apply(entry: LogEntry): void {
    switch (entry.type) {
      case "open":
        this.#kept.set(entry.round, {
          open: entry,
          commit: undefined,
          seal: undefined,
          voided: undefined,
          rowByPeer: new Map(),
          peers: 0,
        });
        if (this.#kept.size > ROUNDS_KEPT) this.#kept.delete(this.#kept.keys().next().value!);
        break;
      case "commit": {
        const kept = this.#kept.get(entry.round);
        if (kept === undefined) return;
        kept.commit = entry;
        for (const { peer, tokens, loss, bytes } of entry.contributors) {
          const row = this.#row(kept, peer);
          if (row) Object.assign(row, { named: true, tokens, loss, bytes });
        }
        break;
      }
      case "seal": {
        this.#sealSeqs[entry.round] = entry.seq;
        const kept = this.#kept.get(entry.round);
        if (kept !== undefined) kept.seal = entry;
        break;
      }
      case "void": {
        const kept = this.#kept.get(entry.round);
        if (kept !== undefined) kept.voided = entry;
        break;
      }
      default:
        return;
    }
    this.#moved.add(entry.round);
  }

  uploaded(blob: string, tookMs: number): void {
    put(this.#uploadMsByBlob, blob, tookMs, UPLOADS_MAX);
  }

  heard(peer: PeerId, message: PeerMessage, atMs: number): void {
    switch (message.type) {
      case "offer": {
        const { round, openSeq, tokens, loss, bytes, update } = message.offer;
        const kept = this.#kept.get(round);
        if (kept === undefined || kept.open.seq !== openSeq) return;
        const row = this.#row(kept, peer);
        if (row === undefined || row.offeredAt !== null) return; // its first counts
        Object.assign(row, {
          offeredAt: atMs,
          uploadMs: this.#uploadMsByBlob.get(update) ?? null,
          tokens,
          loss,
          bytes,
        });
        this.#moved.add(round);
        return;
      }
      case "progress": {
        // Only with overlap does training go on under an exchange; else a last report may follow its offer.
        if (!this.#overlap) return;
        for (const [round, kept] of newestFirst(this.#kept)) {
          const row = kept.rowByPeer.get(peer);
          if (row?.offeredAt == null || kept.seal !== undefined) continue;
          row.busyUntil = atMs;
          this.#moved.add(round);
        }
        return;
      }
      case "attest":
        return this.#folded(peer, message.round, message.anchorHash, atMs);
      case "ready": // says the same of the round before
        put(this.#readyByPeer, peer, { round: message.round, at: atMs }, READY_MAX);
        return this.#folded(peer, message.round - 1, message.anchorHash, atMs);
    }
  }

  #folded(peer: PeerId, round: number, anchorHash: string, at: number): void {
    const kept = this.#kept.get(round);
    const row = kept?.rowByPeer.get(peer);
    if (row === undefined || kept?.commit === undefined || row.folded !== null) return; // only who took part is shown
    row.folded = { at, anchorHash };
    this.#moved.add(round);
  }

  #row(kept: Kept, peer: PeerId): Row | undefined {
    const known = kept.rowByPeer.get(peer);
    if (known !== undefined) return known;
    kept.peers += 1;
    if (kept.rowByPeer.size >= ROUND_PEERS_MAX) return undefined;
    const ready = this.#readyByPeer.get(peer);
    const readyAt = ready?.round === kept.open.round ? ready.at : null;
    const row: Row = {
      readyAt,
      uploadMs: null,
      offeredAt: null,
      busyUntil: null,
      folded: null,
      named: false,
      tokens: 0,
      loss: null,
      bytes: 0,
    };
    kept.rowByPeer.set(peer, row);
    return row;
  }

  /** What moved since this was asked last, oldest first. */
  takeMoved(): RoundTimes[] {
    const moved = [...this.#moved].sort((a, b) => a - b);
    this.#moved.clear();
    return moved.flatMap((round) => this.of(round) ?? []);
  }

  page(from: number, limit: number): RoundTimes[] {
    const rounds = Array.from({ length: limit }, (_, i) => this.of(from + i));
    return rounds.filter((times) => times !== undefined);
  }

  of(round: number): RoundTimes | undefined {
    const kept = this.#kept.get(round) ?? this.#fromLog(round);
    if (kept === undefined) return undefined;
    const { open, commit, seal, voided } = kept;
    const anchorHash = seal?.anchorHash ?? null;
    return {
      round,
      openedAt: open.time,
      committedAt: commit?.time ?? null,
      sealedAt: seal?.time ?? null,
      voided: voided?.reason ?? null,
      anchorHash,
      rosterSize: sizeOfRoster(open.roster),
      attesters: seal === undefined ? 0 : countOfAttesters(seal.attesters),
      peers: [...kept.rowByPeer].map(([peer, { folded, ...row }]): RoundPeer => {
        const agrees = folded === null || anchorHash === null ? null : folded.anchorHash === anchorHash;
        return { peer, name: this.#nameOf(peer), ...row, foldedAt: folded?.at ?? null, agrees };
      }),
      peersTotal: kept.peers,
      refused: seal?.refused ?? [],
    };
  }

  /** The seal by which so many rounds were sealed. */
  sealOf(rounds: number): EntryOf<"seal"> | undefined {
    const entry = this.#entries[this.#sealSeqs[rounds - 1]];
    return entry?.type === "seal" ? entry : undefined;
  }

  /** A round of before this host's memory: what the log has of it. */
  #fromLog(round: number): Kept | undefined {
    const seal = this.sealOf(round + 1);
    if (seal === undefined) return undefined;
    const commit = this.#before(seal.seq, (entry) => entry.type === "commit" && entry.round === round);
    if (commit?.type !== "commit") return undefined;
    const open = this.#entries[commit.openSeq];
    if (open?.type !== "open") return undefined;
    const kept: Kept = { open, commit, seal, voided: undefined, rowByPeer: new Map(), peers: 0 };
    for (const { peer, tokens, loss, bytes } of commit.contributors) {
      const row = this.#row(kept, peer);
      if (row) Object.assign(row, { named: true, tokens, loss, bytes });
    }
    return kept;
  }

  #before(seq: number, wanted: (entry: LogEntry) => boolean): LogEntry | undefined {
    const last = Math.max(0, seq - ENTRIES_BETWEEN_MAX);
    for (let i = seq - 1; i >= last; i--) if (wanted(this.#entries[i])) return this.#entries[i];
    return undefined;
  }
}

/** As the newest; the oldest goes when there are too many. */
function put<K, V>(map: Map<K, V>, key: K, value: V, max: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > max) map.delete(map.keys().next().value!);
}

/** A peer's offer is in flight for two rounds at most. */
const newestFirst = (kept: ReadonlyMap<number, Kept>): [number, Kept][] => [...kept].slice(-2).reverse();
