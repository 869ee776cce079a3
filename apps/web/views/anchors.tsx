// Anchors: what each round's fold came to, how many peers made the same, and whose was another.
import type { RoundTimes } from "#wire";
import { useWords } from "../words/index.ts";

const SHOWN_MAX = 12;

type Verdict = "sealed" | "desync" | "refused" | "voided" | "open";

function verdictOf({ sealedAt, voided, peers, refused }: RoundTimes): Verdict {
  if (voided !== null) return "voided";
  if (sealedAt === null) return "open";
  if (peers.some(({ agrees }) => agrees === false)) return "desync";
  return refused.length > 0 ? "refused" : "sealed";
}

export const Anchors = ({ rounds }: { rounds: readonly RoundTimes[] }) => {
  const { anchors, format, nameOf } = useWords();
  const rows = rounds.slice(-SHOWN_MAX).reverse();
  return (
    <section aria-labelledby="anchors" className="anchors">
      <h2 id="anchors">{anchors.title}</h2>
      <p className="note">{anchors.note}</p>
      {rows.length === 0 ? (
        <p className="empty">{anchors.empty}</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        <section className="scroll" aria-label={anchors.label} tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col" className="number">
                  {anchors.round}
                </th>
                <th scope="col">{anchors.anchor}</th>
                <th scope="col">{anchors.verdict}</th>
                <th scope="col">{anchors.folded}</th>
                <th scope="col">{anchors.time}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => {
                const verdict = verdictOf(row);
                const names = row.peers.filter(({ agrees }) => agrees === false).map((p) => nameOf(p.peer, p.name));
                return (
                  <tr key={row.round}>
                    <th scope="row" className="number">
                      {format.count(row.round + 1)}
                    </th>
                    <td>{row.anchorHash ? <code title={row.anchorHash}>{row.anchorHash.slice(0, 12)}</code> : "–"}</td>
                    <td>
                      <span className="verdict" data-verdict={verdict}>
                        {anchors.verdicts[verdict]}
                      </span>
                      {verdict === "desync" ? ` ${anchors.by(names.join(", "))}` : ""}
                    </td>
                    <td>{row.sealedAt === null ? "–" : anchors.attested(row.attesters, row.rosterSize)}</td>
                    <td>{row.sealedAt === null ? "–" : format.timeOfDay(row.sealedAt)}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
};
