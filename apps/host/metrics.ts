// GET /metrics: what an operator's Prometheus collects.
import type { RelayMeter } from "./relay.ts";
import type { HostedRun } from "./run.ts";

type Sample = readonly [labels: Record<string, string>, value: number];

/** @param connections open /signal sockets */
export function metricsText(
  run: Pick<HostedRun, "detail" | "bytesServed">,
  connections: number,
  relay: RelayMeter,
): string {
  const { head, peers, traffic } = run.detail(0, Number.MAX_SAFE_INTEGER);
  const connected = peers.filter(({ state }) => state !== "left");
  const ways = ["direct", "turn", "relayed"] as const;
  const moved = ways.map((way): Sample => [{ way }, traffic[way]]);
  const stateCounts = new Map<string, number>();
  for (const { state } of connected) stateCounts.set(state, (stateCounts.get(state) ?? 0) + 1);
  const served = Object.entries(run.bytesServed).map(([kind, value]): Sample => [{ kind }, value]);
  const one = (value: number): Sample[] => [[{}, value]];
  return [
    family("gossamer_rounds_total", "counter", "Rounds sealed.", one(head.round)),
    family("gossamer_tokens_total", "counter", "Tokens committed.", one(head.tokens)),
    family("gossamer_log_entries_total", "counter", "Entries in the log.", one(head.seq + 1)),
    family("gossamer_train_loss_nats", "gauge", "Training loss of the last sealed round.", maybe(head.trainLoss)),
    family("gossamer_eval_loss_nats", "gauge", "Last evaluation loss.", maybe(head.evalLoss)),
    family("gossamer_connections", "gauge", "Open signaling connections.", one(connections)),
    family("gossamer_relay_links", "gauge", "Open links through this host's relay.", one(relay.links)),
    family("gossamer_relay_bytes_total", "counter", "Bytes that this host relayed, once each.", one(relay.bytes)),
    family(
      "gossamer_peers",
      "gauge",
      "Connected peers by state.",
      [...stateCounts].map(([state, n]) => [{ state }, n]),
    ),
    family("gossamer_host_sent_bytes_total", "counter", "Blob bytes that the host sent, by kind.", served),
    family("gossamer_peer_bytes_total", "counter", "Bytes that peers sent each other, by way.", moved),
    family(
      "gossamer_peer_from_host_bytes_total",
      "counter",
      "Bytes that peers had from the host.",
      one(traffic.fromHost),
    ),
    family("gossamer_peer_to_host_bytes_total", "counter", "Bytes that peers gave to the host.", one(traffic.toHost)),
    family("process_resident_memory_bytes", "gauge", "Memory of the host's process.", one(process.memoryUsage.rss())),
  ].join("");
}

const maybe = (value: number | null): Sample[] => (value === null ? [] : [[{}, value]]);

/** Label values are our own words: nothing in them needs escaping. */
function family(name: string, type: "counter" | "gauge", help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => {
    const inside = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
    return `${name}${inside.length > 0 ? `{${inside.join(",")}}` : ""} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}
