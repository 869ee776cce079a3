// GET /metrics: what an operator's Prometheus collects.
import type { HostedRun } from "./run.ts";

type Sample = readonly [labels: Record<string, string>, value: number];

/** @param connections open /signal sockets */
export function metricsText(run: HostedRun, connections: number): string {
  const { head, peers } = run.detail(0, Number.MAX_SAFE_INTEGER);
  const connected = peers.filter(({ state }) => state !== "left");
  const sum = (key: "bytesSent" | "bytesReceived" | "bytesRelayed") =>
    peers.reduce((total, peer) => total + peer[key], 0);
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
    family(
      "gossamer_peers",
      "gauge",
      "Connected peers by state.",
      [...stateCounts].map(([state, n]) => [{ state }, n]),
    ),
    family("gossamer_host_sent_bytes_total", "counter", "Blob bytes that the host sent, by kind.", served),
    family("gossamer_peer_sent_bytes", "gauge", "Bytes that connected peers sent over links.", one(sum("bytesSent"))),
    family(
      "gossamer_peer_received_bytes",
      "gauge",
      "Bytes that connected peers received over links.",
      one(sum("bytesReceived")),
    ),
    family(
      "gossamer_peer_relayed_bytes",
      "gauge",
      "Bytes of connected peers that went through a relay.",
      one(sum("bytesRelayed")),
    ),
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
