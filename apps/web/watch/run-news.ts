// What the page has not heard yet of a run: the fields that changed, and the rows. Everything else would be copied into its thread, and
// compared there, twice a second.
import type { PeerId, PeerRow, RunDetail } from "#wire";
import type { Rate, ReaderTell } from "../window/types.ts";
import { linkKey } from "../window/types.ts";

/** The table of links has 64 rows, and both ends report most of them. */
const LINKS_TOLD_MAX = 160;
/** Means over ten seconds need not be told twice a second. */
const RATES_EVERY_MS = 1_000;

type Fields = Omit<RunDetail, "peers">;

export class RunNews {
  readonly #told = new Map<string, string>();
  #rows = new Map<PeerId, { readonly place: number; readonly text: string }>();
  #ratesAt = Number.NEGATIVE_INFINITY;

  take(
    now: number,
    run: RunDetail,
    rateByPeer: ReadonlyMap<PeerId, Rate>,
    rateByLink: ReadonlyMap<string, Rate>,
  ): Pick<ReaderTell, "run" | "rows" | "rates"> {
    const rows = withLinksForWhichThereIsRoom(run.peers);
    const news = { run: this.#fields(run), rows: this.#changed(rows) };
    if (now - this.#ratesAt < RATES_EVERY_MS) return news;
    this.#ratesAt = now;
    const rates = rows.flatMap(({ id, links }) => [
      ...both(rateByPeer.get(id)),
      ...links.flatMap(({ peer }) => both(rateByLink.get(linkKey(id, peer)))),
    ]);
    return { ...news, rates: Float64Array.from(rates) };
  }

  #fields({ peers: _, ...run }: RunDetail): Partial<Fields> {
    const changed = Object.entries(run).filter(([name, value]) => {
      const text = name === "spec" ? run.id : JSON.stringify(name === "churn" ? newestOf(run) : value);
      if (this.#told.get(name) === text) return false;
      this.#told.set(name, text);
      return true;
    });
    return Object.fromEntries(changed);
  }

  #changed(rows: readonly PeerRow[]): (PeerRow | number)[] {
    const before = this.#rows;
    this.#rows = new Map(rows.map((row, place) => [row.id, { place, text: JSON.stringify(row) }]));
    return rows.map((row) => {
      const was = before.get(row.id);
      return was !== undefined && was.text === this.#rows.get(row.id)?.text ? was.place : row;
    });
  }
}

const both = (rate: Rate | undefined): [number, number] => [rate?.sent ?? 0, rate?.received ?? 0];

/** Its list is bounded: who comes at its end tells whether it has moved. */
const newestOf = ({ churn }: Fields): unknown => [churn.length, churn.at(-1)];

function withLinksForWhichThereIsRoom(peers: readonly PeerRow[]): PeerRow[] {
  let room = LINKS_TOLD_MAX;
  return peers.map((peer) => {
    room -= peer.links.length;
    return room >= 0 || peer.links.length === 0 ? peer : { ...peer, links: [] };
  });
}
