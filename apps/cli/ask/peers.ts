// `gossamer peers`: who is here and who has given, as a table.
//
//   GET /api/runs/:id/peers?from=…   |   the credit of a stored log   ->   rows
import * as z from "zod/mini";
import { PEERS_PAGE, type PeerRow, peerRowSchema } from "#wire";
import { english as format, nameOf } from "../../web/words/format.ts";
import { type Remote, runPath } from "../remote.ts";
import { type Column, plain, tableLines } from "./table.ts";

const pageSchema = z.object({ peers: z.array(peerRowSchema), peersTotal: z.int() });

export interface PeersReport {
  readonly peers: readonly PeerRow[];
  readonly total: number;
}

/** @param limit the first so many: who is here, then who left, each by tokens. @throws RemoteError */
export async function remotePeers(remote: Remote, run: string, limit: number): Promise<PeersReport> {
  await remote.detail(run); // names the runs that are there, when this one is not
  const peers: PeerRow[] = [];
  let total = limit;
  while (peers.length < Math.min(limit, total)) {
    const page = await remote.ask(
      runPath(run, `/peers?from=${peers.length}&limit=${Math.min(PEERS_PAGE, limit - peers.length)}`),
      pageSchema,
    );
    total = page.peersTotal;
    if (page.peers.length === 0) break;
    peers.push(...page.peers);
  }
  return { peers, total };
}

const columns: readonly Column<PeerRow>[] = [
  { title: "PEER", cell: ({ id, name }) => nameOf(id, plain(name)) },
  { title: "STATE", cell: ({ state }) => state },
  { title: "TOKENS", cell: ({ tokens }) => format.short(tokens), right: true },
  { title: "ROUNDS", cell: ({ rounds }) => format.count(rounds), right: true },
  { title: "LOSS", cell: ({ loss }) => format.loss(loss), right: true },
  { title: "TOK/S", cell: ({ tokensPerSecond }) => format.short(tokensPerSecond), right: true },
  { title: "LINKS", cell: ({ links }) => format.count(links.length), right: true },
  { title: "SENT", cell: ({ bytesSent, bytesToHost }) => format.short(bytesSent + bytesToHost), right: true },
  {
    title: "GOT",
    cell: ({ bytesReceived, bytesFromHost }) => format.short(bytesReceived + bytesFromHost),
    right: true,
  },
];

export function peerLines({ peers, total }: PeersReport): string[] {
  if (peers.length === 0) return ["Nobody is here, and nobody has given yet."];
  const more = total > peers.length ? [`and ${format.count(total - peers.length)} more: --limit ${total}`] : [];
  return [...tableLines(columns, peers), ...more];
}

export interface Giver {
  readonly peer: string;
  readonly tokens: number;
  readonly rounds: number;
}

const giverColumns: readonly Column<Giver>[] = [
  { title: "PEER", cell: ({ peer }) => nameOf(peer, "") },
  { title: "TOKENS", cell: ({ tokens }) => format.short(tokens), right: true },
  { title: "ROUNDS", cell: ({ rounds }) => format.count(rounds), right: true },
];

/** Of a stored log: names, speeds and links are what a running host knows. */
export function giverLines(givers: readonly Giver[], limit: number): string[] {
  if (givers.length === 0) return ["Nobody has given yet."];
  const shown = givers.slice(0, limit);
  const more =
    givers.length > shown.length ? [`and ${givers.length - shown.length} more: --limit ${givers.length}`] : [];
  return [...tableLines(giverColumns, shown), ...more];
}
