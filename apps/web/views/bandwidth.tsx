// Bandwidth: what moves over each link now, and what moved in all, by the way it took. Ways differ by stroke: direct solid, TURN
// dashed, relayed dotted.
import type { Overview, PeerId, RunDetail } from "#wire";
import type { PageSnapshot } from "../page-state.ts";
import { useWords } from "../words/index.ts";
import { UpdateBytesChart } from "./charts.tsx";
import { type LinkRow, ownLinks, runLinks, type TrafficTotals, trafficTotals } from "./links.ts";
import { PeerName } from "./peers.tsx";

/** A screen of rows; a full mesh of 32 has 496. */
const ROWS_MAX = 64;
const WAYS = [
  "direct",
  "turn",
  "relayed",
  "toHost",
  "fromHost",
  "updatesByHost",
] as const satisfies (keyof TrafficTotals)[];

const Totals = ({ totals }: { totals: TrafficTotals }) => {
  const { bandwidth, format } = useWords();
  return (
    <dl className="totals" aria-label={bandwidth.totals}>
      {WAYS.map((way) => (
        <div key={way} data-way={way}>
          <dt>
            <span className="stroke" aria-hidden="true" />
            {bandwidth.ways[way][0]}
          </dt>
          <dd>
            {format.bytes(totals[way])} <small>{bandwidth.ways[way][1]}</small>
          </dd>
        </div>
      ))}
    </dl>
  );
};

const LinkTable = ({ rows, self, label }: { rows: readonly LinkRow[]; self: PeerId | null; label: string }) => {
  const { bandwidth, peers, format } = useWords();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <section className="scroll" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{peers.peer}</th>
            <th scope="col">{bandwidth.linkedWith}</th>
            <th scope="col">{bandwidth.way}</th>
            <th scope="col" className="number">
              {bandwidth.sending}
            </th>
            <th scope="col" className="number">
              {bandwidth.receiving}
            </th>
            <th scope="col" className="number">
              {bandwidth.sent}
            </th>
            <th scope="col" className="number">
              {bandwidth.received}
            </th>
            <th scope="col" className="number">
              {bandwidth.roundTrip}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, ROWS_MAX).map((row) => (
            <tr key={`${row.from} ${row.to}`} data-way={row.kind}>
              <th scope="row">
                <PeerName id={row.from} name={row.fromName} self={self} />
              </th>
              <td>
                <PeerName id={row.to} name={row.toName} self={self} />
              </td>
              <td>
                <span className="stroke" aria-hidden="true" />
                {bandwidth.kinds[row.kind]}
              </td>
              <td className="number">{row.rate ? format.rate(row.rate.sent) : "–"}</td>
              <td className="number">{row.rate ? format.rate(row.rate.received) : "–"}</td>
              <td className="number">{format.bytes(row.sent)}</td>
              <td className="number">{format.bytes(row.received)}</td>
              <td className="number">{row.rttMs === null ? "–" : bandwidth.milliseconds(row.rttMs)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
};

/** The page is told of as many links as the table has rows; how many there are the overview knows. */
const linksOf = (overview: Overview | null): number =>
  overview === null ? 0 : Object.values(overview.linksByKind).reduce((sum, links) => sum + links, 0);

/** Everything that moved, beside what all-reducing the gradient at every inner step would have moved for the same rounds. */
const AgainstDdp = ({ run, overview }: { run: RunDetail; overview: Overview | null }) => {
  const { bandwidth, format } = useWords();
  const { direct, turn, relayed, toHost } = run.traffic;
  const moved = direct + turn + relayed + toHost + run.updateBytesServed;
  const ddp = overview?.ddpBytes ?? 0;
  if (moved === 0 || ddp === 0) return null;
  return (
    <figure className="against">
      <figcaption>{bandwidth.ddp(format.bytes(moved), format.bytes(ddp), format.times(ddp / moved))}</figcaption>
      <progress className="thread" aria-hidden="true" max={Math.max(ddp, moved)} value={moved} />
    </figure>
  );
};

export const Bandwidth = ({ watcher, donor, axis }: Pick<PageSnapshot, "watcher" | "donor" | "axis">) => {
  const { bandwidth } = useWords();
  const { run } = watcher;
  const self = donor.peer;
  const own = self === null ? [] : ownLinks(self, donor.name, donor.links);
  const others = run ? runLinks(run, watcher.rateByLink).filter(({ from, to }) => from !== self && to !== self) : [];
  return (
    <section aria-labelledby="bandwidth" className="bandwidth">
      <h2 id="bandwidth">{bandwidth.title}</h2>
      {run ? <Totals totals={trafficTotals(run)} /> : null}
      {run ? <AgainstDdp run={run} overview={watcher.overview} /> : null}
      {own.length > 0 && self !== null ? (
        <>
          <h3>{bandwidth.own}</h3>
          <LinkTable rows={own} self={self} label={bandwidth.own} />
        </>
      ) : null}
      {others.length > 0 ? (
        <>
          <h3>{own.length > 0 ? bandwidth.others : bandwidth.all}</h3>
          <LinkTable rows={others} self={self} label={bandwidth.ofRun} />
        </>
      ) : null}
      {own.length + others.length === 0 ? <p className="empty">{bandwidth.empty}</p> : null}
      <div className="chart-grid">
        <UpdateBytesChart watcher={watcher} axis={axis} />
      </div>
      {others.length > ROWS_MAX ? (
        <p className="more">{bandwidth.some(ROWS_MAX, Math.max(others.length, linksOf(watcher.overview)))}</p>
      ) : null}
    </section>
  );
};
