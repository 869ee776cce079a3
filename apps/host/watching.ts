// What the API tells watchers beyond the run's document: pages of peers and rounds, a moment of the past, sums and the host's health.
//
//   /api/runs/:id/  peers?from=&limit=   rounds?from=&limit=   rounds/:round   overview         /badge/:run.svg
import { type Moment, type Overview, PEERS_PAGE, type PeerRow, ROUNDS_PAGE, type RoundTimes } from "#wire";
import { ApiError, notFound } from "./answer.ts";
import type { Health } from "./host-health.ts";
import type { HostedRun } from "./run.ts";

export type WatchedRun = Pick<
  HostedRun,
  | "spec"
  | "entries"
  | "series"
  | "rounds"
  | "standings"
  | "detail"
  | "nameOf"
  | "overview"
  | "bytesServed"
  | "diagnosis"
>;

/** What every run of a host tells of it. */
export type HostState = Health &
  Pick<Overview["host"], "connections" | "watchers" | "relayLinks" | "relayBytes" | "relayed">;

export class Watching {
  readonly #run: WatchedRun;
  readonly #host: () => HostState;

  constructor(run: WatchedRun, host: () => HostState) {
    this.#run = run;
    this.#host = host;
  }

  overview(): Overview {
    const { bytesServed, entries } = this.#run;
    return {
      ...this.#run.overview(),
      host: { ...this.#host(), served: { ...bytesServed }, logEntries: entries.length },
    };
  }

  peers(from: number, limit: number): { peers: PeerRow[]; peersTotal: number } {
    const { peers, peersTotal } = this.#run.detail(from, Math.min(limit, PEERS_PAGE));
    return { peers, peersTotal };
  }

  rounds(from: number, limit: number): RoundTimes[] {
    return this.#run.rounds.page(from, Math.min(limit, ROUNDS_PAGE));
  }

  moment(text: string): Moment {
    const { rounds, series, standings, nameOf } = this.#run;
    const round = Number(text);
    if (!/^\d{1,9}$/.test(text) || round < 1)
      throw new ApiError(400, "parameter", `The round is "${text}"; it must be a whole number from 1 on.`);
    const seal = rounds.sealOf(round);
    const times = rounds.of(round - 1);
    if (seal === undefined || times === undefined)
      throw notFound(`Round ${round} is not sealed; ${rounds.length} rounds are.`);
    const rows = standings.after(round);
    const tokens = series.at("contributors", round)?.tokens ?? 0;
    return {
      round,
      time: seal.time,
      tokens,
      anchorHash: seal.anchorHash,
      trainLoss: series.at("trainLoss", round)?.value ?? null,
      evalLoss: series.at("evalLoss", round)?.value ?? null,
      times,
      standings: rows.slice(0, PEERS_PAGE).map((row) => ({ ...row, name: nameOf.call(this.#run, row.peer) })),
      standingsTotal: rows.length,
    };
  }
}
