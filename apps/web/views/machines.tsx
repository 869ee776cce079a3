// What the swarm runs on: adapters of everybody who is here, and how the host is.
import type { Overview } from "#wire";
import { useWords } from "../words/index.ts";
import { adapterName } from "./adapter.ts";

const Adapters = ({
  adapters,
  adaptersTotal,
  most,
}: Pick<Overview, "adapters" | "adaptersTotal"> & { most: number }) => {
  const words = useWords();
  const { machines, format } = words;
  if (adapters.length === 0) return <p className="empty">{machines.nobody}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
    <section className="scroll" aria-label={machines.adapters} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{machines.adapter}</th>
            <th scope="col" className="number">
              {machines.peers}
            </th>
            <th scope="col" className="number">
              {machines.training}
            </th>
            <th scope="col" className="number">
              {machines.speed}
            </th>
          </tr>
        </thead>
        <tbody>
          {adapters.map(({ adapter, peers, training, tokensPerSecond }) => (
            <tr key={JSON.stringify(adapter)}>
              <th scope="row">
                {adapter ? adapterName(words, adapter) : "–"}
                {adapter?.backend === "webgpu" && adapter.isFallback ? (
                  <span className="tag">{words.peers.software}</span>
                ) : null}
                <progress className="thread small" aria-hidden="true" max={Math.max(1, most)} value={peers} />
              </th>
              <td className="number">{format.count(peers)}</td>
              <td className="number">{format.count(training)}</td>
              <td className="number">{tokensPerSecond > 0 ? format.short(tokensPerSecond) : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {adaptersTotal > adapters.length ? (
        <p className="more">{machines.more(adaptersTotal - adapters.length)}</p>
      ) : null}
    </section>
  );
};

/** Timers later than this are felt: acknowledgements wait for them. */
const LATE_MS = 100;

const HostHealth = ({ host }: Pick<Overview, "host">) => {
  const { machines, format } = useWords();
  const served = Object.values(host.served).reduce((sum, bytes) => sum + bytes, 0);
  const figures: readonly [string, string, string?][] = [
    [machines.since, format.dateAndTime(host.startedAt)],
    [
      machines.delay,
      format.duration(host.loopDelayMs),
      host.loopDelayMs > LATE_MS ? machines.delayLate : machines.delayGood,
    ],
    [machines.connections, format.count(host.connections)],
    [machines.watchers, format.count(host.watchers)],
    [machines.relay, format.count(host.relayLinks), format.bytes(host.relayBytes)],
    [machines.served, format.bytes(served)],
    [machines.memory, format.bytes(host.memoryBytes)],
    [machines.disk, host.diskFreeBytes === null ? "–" : format.bytes(host.diskFreeBytes)],
    [machines.log, format.count(host.logEntries), machines.entries],
  ];
  return (
    <dl className="totals" aria-label={machines.host}>
      {figures.map(([label, value, note]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd>
            {value} {note ? <small>{note}</small> : null}
          </dd>
        </div>
      ))}
    </dl>
  );
};

export const Machines = ({ overview }: { overview: Overview | null }) => {
  const { machines } = useWords();
  return (
    <section aria-labelledby="machines" className="machines">
      <h2 id="machines">{machines.title}</h2>
      {overview === null ? (
        <p className="empty">{machines.unknown}</p>
      ) : (
        <div className="halves">
          <div>
            <h3>{machines.adapters}</h3>
            <Adapters
              adapters={overview.adapters}
              adaptersTotal={overview.adaptersTotal}
              most={Math.max(0, ...overview.adapters.map(({ peers }) => peers))}
            />
          </div>
          <div>
            <h3>{machines.host}</h3>
            <HostHealth host={overview.host} />
          </div>
        </div>
      )}
    </section>
  );
};
