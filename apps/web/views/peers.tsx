// Who gives what: contribution is what commits name (tokens, and the share of all tokens), not what a peer says of itself. Of a long list
// only the rows in sight are drawn, and pages that are not here yet are asked for when they come into sight.
import { memo, useEffect, useRef } from "react";
import type { Moment, PeerId, PeerRow } from "#wire";
import type { PageActions } from "../page-state.ts";
import type { WatcherSnapshot } from "../window/types.ts";
import { shortPeer } from "../words/format.ts";
import { useWords } from "../words/index.ts";
import { Rich } from "../words/rich.tsx";
import { adapterName } from "./adapter.ts";
import { shownOf } from "./moment.ts";
import { useRowsInSight } from "./rows-in-sight.ts";

export const PeerName = ({ id, name, self }: { id: PeerId; name: string; self: PeerId | null }) => {
  const { peers } = useWords();
  return (
    <span className="peer-name">
      <bdi>{name.trim() || peers.nameless}</bdi> <code title={id}>{shortPeer(id)}</code>
      {id === self ? <span className="tag">{peers.you}</span> : null}
    </span>
  );
};

/** Rows of the past know no more than this. */
type Given = Pick<PeerRow, "id" | "name" | "tokens" | "rounds">;
type Shown = Given & Partial<PeerRow>;

interface RowProps {
  readonly peer: Shown;
  readonly place: number;
  readonly tokens: number;
  readonly self: PeerId | null;
  readonly sending: string;
  /** Who leads the island that it is in; itself, too. */
  readonly leader: Pick<PeerRow, "id" | "name"> | undefined;
}

const IslandTag = ({ peer, leader }: { peer: PeerId; leader: NonNullable<RowProps["leader"]> }) => {
  const { peers, nameOf } = useWords();
  return (
    <span className="tag">
      {leader.id === peer ? (
        peers.leadsIsland
      ) : (
        <Rich text={peers.ofIsland} leader={<bdi>{nameOf(leader.id, leader.name)}</bdi>} />
      )}
    </span>
  );
};

const Row = memo(({ peer, place, tokens, self, sending, leader }: RowProps) => {
  const words = useWords();
  const { format } = words;
  return (
    <tr data-state={peer.state} aria-current={peer.id === self ? "true" : undefined} aria-rowindex={place + 2}>
      <th scope="row">
        <PeerName id={peer.id} name={peer.name} self={self} />
        {leader ? <IslandTag peer={peer.id} leader={leader} /> : null}
      </th>
      <td>
        {peer.state ? (
          <span className="state" data-state={peer.state}>
            {words.states.peer[peer.state]}
          </span>
        ) : (
          "–"
        )}
      </td>
      <td className="number">
        {format.count(peer.tokens)}
        <progress className="thread small" aria-hidden="true" max={Math.max(1, tokens)} value={peer.tokens} />
      </td>
      <td className="number">{format.share(peer.tokens, tokens)}</td>
      <td className="number">{format.count(peer.rounds)}</td>
      <td className="number">{format.loss(peer.loss)}</td>
      <td className="number">{peer.tokensPerSecond ? format.short(peer.tokensPerSecond) : "–"}</td>
      <td className="number">{sending}</td>
      <td>
        {peer.adapter ? adapterName(words, peer.adapter) : "–"}
        {peer.adapter?.backend === "webgpu" && peer.adapter.isFallback ? (
          <span className="tag">{words.peers.software}</span>
        ) : null}
      </td>
    </tr>
  );
});

const ROW_PX = 51;
/** Above and below what is in sight. */
const OVERSCAN = 6;
const COLUMNS = 9;

/** Stands for the rows above and below: so many pixels high. */
const Gap = ({ height }: { height: number }) =>
  height <= 0 ? null : (
    // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it can have the focus
    <tr aria-hidden="true" className="gap">
      <td colSpan={COLUMNS} style={{ height }} />
    </tr>
  );

interface ListProps {
  /** By their place in the whole list; not all may be here. */
  readonly rowAt: (place: number) => Shown | undefined;
  readonly count: number;
  readonly tokens: number;
  readonly self: PeerId | null;
  readonly sending: (peer: PeerId) => string;
  readonly leaderOf: (peer: PeerId) => RowProps["leader"];
  readonly want: (from: number) => void;
}

const List = ({ rowAt, count, tokens, self, sending, leaderOf, want }: ListProps) => {
  const { peers } = useWords();
  const box = useRef<HTMLElement>(null);
  const { first, last } = useRowsInSight(box, ROW_PX, OVERSCAN, count);
  const places = Array.from({ length: last - first }, (_, i) => first + i);
  const missing = places.find((place) => rowAt(place) === undefined);
  useEffect(() => {
    if (missing !== undefined) want(missing);
  }, [missing, want]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <section ref={box} className="scroll peer-list" aria-label={peers.label} tabIndex={0}>
      <table aria-rowcount={count + 1}>
        <thead>
          <tr aria-rowindex={1}>
            <th scope="col">{peers.peer}</th>
            <th scope="col">{peers.state}</th>
            <th scope="col" className="number">
              {peers.tokens}
            </th>
            <th scope="col" className="number">
              {peers.share}
            </th>
            <th scope="col" className="number">
              {peers.rounds}
            </th>
            <th scope="col" className="number">
              {peers.loss}
            </th>
            <th scope="col" className="number">
              {peers.speed}
            </th>
            <th scope="col" className="number">
              {peers.links}
            </th>
            <th scope="col">{peers.adapter}</th>
          </tr>
        </thead>
        <tbody>
          <Gap height={first * ROW_PX} />
          {places.map((place) => {
            const peer = rowAt(place);
            return peer === undefined ? (
              <tr key={place} aria-rowindex={place + 2}>
                <td colSpan={COLUMNS}>…</td>
              </tr>
            ) : (
              <Row
                key={peer.id}
                {...{ peer, place, tokens, self }}
                sending={sending(peer.id)}
                leader={leaderOf(peer.id)}
              />
            );
          })}
          <Gap height={(count - last) * ROW_PX} />
        </tbody>
      </table>
    </section>
  );
};

const thenRow = ({ peer, ...given }: Moment["standings"][number]): Shown => ({ id: peer, ...given });

interface PeersProps {
  readonly watcher: WatcherSnapshot;
  readonly self: PeerId | null;
  readonly wantPeers: PageActions["wantPeers"];
}

export const Peers = ({ watcher, self, wantPeers }: PeersProps) => {
  const { peers, format } = useWords();
  const { run, morePeers, rateByPeer } = watcher;
  if (run === null) return null;
  const moment = shownOf(watcher);
  const whole = run.peersTotal <= run.peers.length;
  const live = whole ? [...run.peers].sort((a, b) => b.tokens - a.tokens) : run.peers; // else as the host sorts its pages
  const then = moment?.standings.map(thenRow);
  const count = then?.length ?? run.peersTotal;
  const here = new Map(live.map(({ id, state }) => [id, state]));
  const leaders = new Map(
    (run.islands ?? []).flatMap(({ leader, members }) => {
      const row = live.find(({ id }) => id === leader) ?? { id: leader, name: "" };
      return members.map((id) => [id, row] as const);
    }),
  );
  const sending = (id: PeerId) => {
    const rates = rateByPeer.get(id);
    if (moment || !rates || here.get(id) === "left") return "–";
    return `↑ ${format.rate(rates.sent)} ↓ ${format.rate(rates.received)}`;
  };
  return (
    <section aria-labelledby="peers" className="peers">
      <h2 id="peers">{peers.title}</h2>
      {count === 0 ? (
        <p className="empty">{peers.empty}</p>
      ) : (
        <List
          count={count}
          rowAt={(place) => (then ? then[place] : (live[place] ?? morePeers.get(place)))}
          tokens={moment?.tokens ?? run.tokens}
          self={self}
          sending={sending}
          leaderOf={(id) => (moment ? undefined : leaders.get(id))}
          want={wantPeers}
        />
      )}
      {moment && moment.standingsTotal > moment.standings.length ? (
        <p className="more">{peers.some(moment.standings.length, moment.standingsTotal)}</p>
      ) : null}
    </section>
  );
};
