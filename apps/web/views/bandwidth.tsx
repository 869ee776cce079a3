// Bandwidth: what moves over each link now, and what moved in all, by the way it took. Ways differ by stroke: direct solid, TURN
// dashed, relayed dotted.
import type { PeerId } from "#wire";
import type { PageSnapshot } from "../page-state.ts";
import { bytes, count, rate } from "./format.ts";
import { type LinkRow, ownLinks, runLinks, type TrafficTotals, trafficTotals } from "./links.ts";
import { PeerName } from "./peers.tsx";

/** A screen of rows; a full mesh of 32 has 496. */
const ROWS_MAX = 64;
const kindWords: Record<LinkRow["kind"], string> = {
  direct: "direct",
  turn: "through TURN",
  relayed: "through the host",
};

const WAYS: readonly { way: keyof TrafficTotals; label: string; note: string }[] = [
  { way: "direct", label: "Direct", note: "peer to peer" },
  { way: "turn", label: "TURN", note: "relayed, encrypted end to end" },
  { way: "relayed", label: "Relayed", note: "through the host, for want of a link" },
  { way: "toHost", label: "To the host", note: "updates to keep, offers, signals" },
  { way: "fromHost", label: "From the host", note: "text, model, log" },
  { way: "updatesByHost", label: "Updates by the host", note: "fetched from it instead of from peers" },
];

const Totals = ({ totals }: { totals: TrafficTotals }) => (
  <dl className="totals" aria-label="Bytes in all, by the way they took">
    {WAYS.map(({ way, label, note }) => (
      <div key={way} data-way={way}>
        <dt>
          <span className="stroke" aria-hidden="true" />
          {label}
        </dt>
        <dd>
          {bytes(totals[way])} <small>{note}</small>
        </dd>
      </div>
    ))}
  </dl>
);

const LinkTable = ({ rows, self, label }: { rows: readonly LinkRow[]; self: PeerId | null; label: string }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
  <section className="scroll" aria-label={label} tabIndex={0}>
    <table>
      <thead>
        <tr>
          <th scope="col">Peer</th>
          <th scope="col">Linked with</th>
          <th scope="col">Way</th>
          <th scope="col" className="number">
            Sending
          </th>
          <th scope="col" className="number">
            Receiving
          </th>
          <th scope="col" className="number">
            Sent
          </th>
          <th scope="col" className="number">
            Received
          </th>
          <th scope="col" className="number">
            Round trip
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
              {kindWords[row.kind]}
            </td>
            <td className="number">{row.rate ? rate(row.rate.sent) : "–"}</td>
            <td className="number">{row.rate ? rate(row.rate.received) : "–"}</td>
            <td className="number">{bytes(row.sent)}</td>
            <td className="number">{bytes(row.received)}</td>
            <td className="number">{row.rttMs === null ? "–" : `${count(row.rttMs)} ms`}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </section>
);

export const Bandwidth = ({ page }: { page: PageSnapshot }) => {
  const { donor, watcher } = page;
  const { run } = watcher;
  const self = donor.peer;
  const own = self === null ? [] : ownLinks(self, donor.name, donor.links);
  const others = run ? runLinks(run, watcher.rateByLink).filter(({ from, to }) => from !== self && to !== self) : [];
  return (
    <section aria-labelledby="bandwidth" className="bandwidth">
      <h2 id="bandwidth">Bandwidth</h2>
      {run ? <Totals totals={trafficTotals(run)} /> : null}
      {own.length > 0 && self !== null ? (
        <>
          <h3>Your links</h3>
          <LinkTable rows={own} self={self} label="Your links" />
        </>
      ) : null}
      {others.length > 0 ? (
        <>
          <h3>{own.length > 0 ? "Links between others" : "Links"}</h3>
          <LinkTable rows={others} self={self} label="Links of the run" />
        </>
      ) : null}
      {own.length + others.length === 0 ? (
        <p className="empty">No links are open. Peers link up as soon as two of them donate.</p>
      ) : null}
      {others.length > ROWS_MAX ? (
        <p className="more">
          The first {ROWS_MAX} of {count(others.length)} links are shown.
        </p>
      ) : null}
    </section>
  );
};
