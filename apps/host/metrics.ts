// GET /metrics: what an operator's Prometheus collects.
import type { Diagnosis, PeerRow } from "#wire";
import type { Health } from "./host-health.ts";
import { family, type Labels, type Sample } from "./instruments.ts";
import type { Measures } from "./measures.ts";
import type { RelayMeter } from "./relay.ts";
import type { Relayed } from "./relay-budget.ts";
import type { HostedRun } from "./run.ts";

type MeasuredRun = Pick<HostedRun, "id" | "detail" | "bytesServed" | "diagnosis" | "foldingSeconds">;

export interface Measured {
  /** Each one's samples carry its id in the label `run`. */
  readonly runs: readonly MeasuredRun[];
  readonly connections: number; // open /signal sockets
  readonly watchers: number;
  readonly relay: RelayMeter;
  readonly health: Health;
  readonly measures: Measures;
  readonly bans: readonly { readonly by: string }[];
  readonly relayed: Relayed | undefined;
  readonly isReady: boolean;
}

export function metricsText({ runs, connections, relay, ...host }: Measured): string {
  const { measures, health } = host;
  const told = runs.map((run) => ({
    ...{ run: run.id, ...run.detail(0, Number.MAX_SAFE_INTEGER), served: run.bytesServed },
    ...{ diagnosis: run.diagnosis, foldingSeconds: run.foldingSeconds },
  }));
  const each = (samplesOf: (run: (typeof told)[number]) => readonly Sample[]): Sample[] =>
    told.flatMap((run) => samplesOf(run).map(([labels, value]): Sample => [{ run: run.id, ...labels }, value]));
  const ways = ["direct", "turn", "relayed"] as const;
  return [
    family(
      "gossamer_rounds_total",
      "counter",
      "Rounds sealed.",
      each(({ head }) => one(head.round)),
    ),
    family(
      "gossamer_tokens_total",
      "counter",
      "Tokens committed.",
      each(({ head }) => one(head.tokens)),
    ),
    family(
      "gossamer_log_entries_total",
      "counter",
      "Entries in the log.",
      each(({ head }) => one(head.seq + 1)),
    ),
    family(
      "gossamer_train_loss_nats",
      "gauge",
      "Training loss of the last sealed round.",
      each(({ head }) => maybe(head.trainLoss)),
    ),
    family(
      "gossamer_eval_loss_nats",
      "gauge",
      "Last evaluation loss.",
      each(({ head }) => maybe(head.evalLoss)),
    ),
    family("gossamer_connections", "gauge", "Open signaling connections.", one(connections)),
    family("gossamer_relay_links", "gauge", "Open links through this host's relay.", one(relay.links)),
    family("gossamer_relay_bytes_total", "counter", "Bytes that this host relayed, once each.", one(relay.bytes)),
    family(
      "gossamer_peers",
      "gauge",
      "Connected peers by state.",
      each(({ peers }) => [...countByState(peers)].map(([state, n]) => [{ state }, n])),
    ),
    family(
      "gossamer_host_sent_bytes_total",
      "counter",
      "Blob bytes that the host sent, by kind.",
      each(({ served }) => Object.entries(served).map(([kind, value]) => [{ kind }, value])),
    ),
    family(
      "gossamer_peer_bytes_total",
      "counter",
      "Bytes that peers sent each other, by way.",
      each(({ traffic }) => ways.map((way) => [{ way }, traffic[way]])),
    ),
    family(
      "gossamer_peer_from_host_bytes_total",
      "counter",
      "Bytes that peers had from the host.",
      each(({ traffic }) => one(traffic.fromHost)),
    ),
    family(
      "gossamer_peer_to_host_bytes_total",
      "counter",
      "Bytes that peers gave to the host.",
      each(({ traffic }) => one(traffic.toHost)),
    ),
    family(
      "gossamer_round_slow_seconds",
      "gauge",
      "What slow peers and links cost each round, by cause (see /api/runs/:id/diagnosis).",
      each(({ diagnosis }) => slowByCause(diagnosis)),
    ),
    family(
      "gossamer_witness_folding_seconds",
      "gauge",
      "How long the witness has been folding the round under way; 0: it waits.",
      each(({ foldingSeconds }) => one(foldingSeconds)),
    ),
    family("gossamer_round_seconds", "histogram", "Rounds from open to seal.", measures.roundSeconds.samples()),
    family("gossamer_contributions_total", "counter", "Offers that commits named.", measures.contributions.samples()),
    family("gossamer_offers_refused_total", "counter", "Offers refused, by reason.", measures.offersRefused.samples()),
    family(
      "gossamer_contributions_refused_total",
      "counter",
      "Contributions that seals named as worth nothing.",
      measures.contributionsRefused.samples(),
    ),
    family(
      "gossamer_log_append_seconds",
      "histogram",
      "A log entry until it is synced.",
      measures.appendSeconds.samples(),
    ),
    family(
      "gossamer_upload_bytes_total",
      "counter",
      "Bytes of updates that were uploaded.",
      measures.uploadBytes.samples(),
    ),
    family(
      "gossamer_upload_seconds",
      "histogram",
      "Uploads, from first byte to disk.",
      measures.uploadSeconds.samples(),
    ),
    family(
      "gossamer_signal_seconds",
      "histogram",
      "A signal until its receiver's socket has it.",
      measures.signalSeconds.samples(),
    ),
    family("gossamer_refusals_total", "counter", "Peers refused or sent away, by code.", measures.refusals.samples()),
    family("gossamer_requests_total", "counter", "HTTP answers, by class of status.", measures.requests.samples()),
    family("gossamer_bans", "gauge", "Bans that hold, by who made them.", countBy(host.bans)),
    family(
      "gossamer_relay_month_bytes",
      "gauge",
      "Carried this month (UTC), by this host's relay and by TURN as peers report it.",
      host.relayed === undefined
        ? []
        : [
            [{ kind: "relay" }, host.relayed.relayBytes],
            [{ kind: "turn" }, host.relayed.turnBytes],
          ],
    ),
    family(
      "gossamer_relay_cap_bytes",
      "gauge",
      "What --relay-cap-gb allows a month.",
      maybe(host.relayed?.capBytes ?? null),
    ),
    family("gossamer_watchers", "gauge", "Open event streams.", one(host.watchers)),
    family("gossamer_ready", "gauge", "Whether /readyz says yes.", one(host.isReady ? 1 : 0)),
    family(
      "gossamer_event_loop_lag_seconds",
      "gauge",
      "How late timers are, 99th percentile.",
      one(health.loopDelayMs / 1000),
    ),
    family("gossamer_disk_free_bytes", "gauge", "Free on the data directory's disk.", maybe(health.diskFreeBytes)),
    family("gossamer_start_time_seconds", "gauge", "When this host started, since 1970.", one(health.startedAt / 1000)),
    family("process_resident_memory_bytes", "gauge", "Memory of the host's process.", one(health.memoryBytes)),
  ].join("");
}

function countByState(peers: readonly PeerRow[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { state } of peers) if (state !== "left") counts.set(state, (counts.get(state) ?? 0) + 1);
  return counts;
}

const one = (value: number): Sample[] => [[{}, value]];
const maybe = (value: number | null): Sample[] => (value === null ? [] : [[{}, value]]);

function slowByCause({ findings }: Diagnosis): Sample[] {
  const seconds = new Map<string, [Labels, number]>();
  for (const { kind, cause, secondsPerRound } of findings) {
    const sum = seconds.get(cause)?.[1] ?? 0;
    seconds.set(cause, [{ kind, cause }, sum + secondsPerRound]);
  }
  return [...seconds.values()];
}

/** Also 0, so that an alert finds it. */
const countBy = (bans: Measured["bans"]): Sample[] =>
  ["host", "operator"].map((by) => [{ by }, bans.filter((ban) => ban.by === by).length]);
