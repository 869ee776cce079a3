// The round timeline: per peer how long it trained, waited for the others, fetched and folded; who waited for whom, and how much of the
// exchange was hidden under training. Segments differ by pattern as well as by colour; the same is in the cells as text.
import type { Diagnosis, PeerId, RoundPeer, RoundTimes } from "#wire";
import { useWords } from "../words/index.ts";
import { PeerName } from "./peers.tsx";
import { type PeerSpans, spansOf, storyOf } from "./round-story.ts";
import { SlowParts } from "./slow-parts.tsx";

const WIDTH = 1000;

const Segments = ({ spans, totalMs }: { spans: PeerSpans; totalMs: number }) => {
  const x = (ms: number) => (WIDTH * Math.max(0, ms)) / Math.max(1, totalMs);
  let at = 0;
  return (
    <svg className="segments" viewBox={`0 0 ${WIDTH} 12`} preserveAspectRatio="none" aria-hidden="true">
      {(["trainMs", "hiddenMs", "waitMs", "foldMs"] as const).map((part) => {
        const from = at;
        at += spans[part] ?? 0;
        return (
          <rect
            key={part}
            data-part={part}
            x={x(from)}
            y={part === "waitMs" ? 4.5 : 0}
            width={x(at - from)}
            height={part === "waitMs" ? 3 : 12}
          />
        );
      })}
    </svg>
  );
};

const PeerRow = ({ peer, times, self }: { peer: RoundPeer; times: RoundTimes; self: PeerId | null }) => {
  const { rounds, format } = useWords();
  const spans = spansOf(times, peer);
  const time = (ms: number | null) => (ms === null ? "–" : format.duration(ms));
  return (
    <tr>
      <th scope="row">
        <PeerName id={peer.peer} name={peer.name} self={self} />
        {peer.named || times.committedAt === null ? null : <span className="tag">{rounds.notNamed}</span>}
        {peer.agrees === false ? <span className="tag alarm">{rounds.desync}</span> : null}
      </th>
      <td className="wide">
        <Segments spans={spans} totalMs={spans.totalMs} />
      </td>
      <td className="number">{time(spans.trainMs)}</td>
      <td className="number">{time(spans.waitMs)}</td>
      <td className="number">{time(spans.foldMs)}</td>
    </tr>
  );
};

/** The last rounds side by side: training below, commit to seal above it. Height is time. */
const Strip = ({ rounds: shown, current }: { rounds: readonly RoundTimes[]; current: number }) => {
  const { rounds, format } = useWords();
  const sealed = shown.filter(({ sealedAt }) => sealedAt !== null);
  if (sealed.length < 2) return null;
  const longest = Math.max(...sealed.map(({ openedAt, sealedAt }) => Number(sealedAt) - openedAt), 1);
  const width = WIDTH / sealed.length;
  return (
    <figure className="strip">
      <svg
        viewBox={`0 0 ${WIDTH} 60`}
        preserveAspectRatio="none"
        role="img"
        aria-label={rounds.stripLabel(sealed.length, format.duration(longest))}
      >
        {sealed.map(({ round, openedAt, committedAt, sealedAt }, i) => {
          const high = (ms: number) => (58 * ms) / longest;
          const until = Number(committedAt ?? sealedAt);
          const train = high(until - openedAt);
          const fold = high(Number(sealedAt) - until);
          return (
            <g key={round} data-current={round === current}>
              <rect
                data-part="trainMs"
                x={i * width + 1}
                y={60 - train}
                width={Math.max(1, width - 2)}
                height={train}
              />
              <rect
                data-part="foldMs"
                x={i * width + 1}
                y={60 - train - fold}
                width={Math.max(1, width - 2)}
                height={fold}
              />
            </g>
          );
        })}
      </svg>
      <figcaption>{rounds.stripCaption(sealed.length)}</figcaption>
    </figure>
  );
};

interface RoundsProps {
  readonly rounds: readonly RoundTimes[];
  /** A round of the past that is looked at. */
  readonly past: RoundTimes | null;
  readonly self: PeerId | null;
  readonly diagnosis: Diagnosis | undefined;
}

export const Rounds = ({ rounds: shown, past, self, diagnosis }: RoundsProps) => {
  const words = useWords();
  const { rounds } = words;
  // The newest whose story is whole; before the first seal, what there is.
  const times = past ?? shown.findLast(({ sealedAt }) => sealedAt !== null) ?? shown.at(-1);
  return (
    <section aria-labelledby="rounds" className="rounds">
      <h2 id="rounds">{rounds.title}</h2>
      {times === undefined ? (
        <p className="empty">{rounds.empty}</p>
      ) : (
        <>
          <p className="story">{storyOf(words, times)}</p>
          {past === null ? <SlowParts diagnosis={diagnosis} self={self} /> : null}
          <Strip rounds={shown} current={times.round} />
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard */}
          <section className="scroll round-peers" aria-label={rounds.label(times.round + 1)} tabIndex={0}>
            <table>
              <thead>
                <tr>
                  <th scope="col">{words.peers.peer}</th>
                  <th scope="col" className="wide">
                    <ul className="legend">
                      {(["trainMs", "hiddenMs", "waitMs", "foldMs"] as const).map((part) => (
                        <li key={part}>
                          <svg viewBox="0 0 16 12" width="16" height="12" aria-hidden="true" className="segments">
                            <rect
                              data-part={part}
                              y={part === "waitMs" ? 4.5 : 0}
                              width="16"
                              height={part === "waitMs" ? 3 : 12}
                            />
                          </svg>
                          {rounds.parts[part]}
                        </li>
                      ))}
                    </ul>
                  </th>
                  <th scope="col" className="number">
                    {rounds.parts.trainMs}
                  </th>
                  <th scope="col" className="number">
                    {rounds.parts.waitMs}
                  </th>
                  <th scope="col" className="number">
                    {rounds.parts.foldMs}
                  </th>
                </tr>
              </thead>
              <tbody>
                {times.peers.map((peer) => (
                  <PeerRow key={peer.peer} peer={peer} times={times} self={self} />
                ))}
              </tbody>
            </table>
          </section>
          {times.peersTotal > times.peers.length ? (
            <p className="more">{words.peers.some(times.peers.length, times.peersTotal)}</p>
          ) : null}
        </>
      )}
    </section>
  );
};
