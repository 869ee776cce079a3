// What slows the rounds, as the host makes it out of the last ones; nothing where nobody holds the others up.
import type { Diagnosis, PeerId } from "#wire";
import { useWords } from "../words/index.ts";
import { PeerName } from "./peers.tsx";

/** More would be a list of everybody. */
const SHOWN_MAX = 5;

export const SlowParts = ({ diagnosis, self }: { diagnosis: Diagnosis | undefined; self: PeerId | null }) => {
  const { rounds, format } = useWords();
  if (diagnosis === undefined || diagnosis.findings.length === 0) return null;
  return (
    <div className="slow-parts">
      <h3 id="slow-parts">{rounds.slow.title}</h3>
      <ul aria-labelledby="slow-parts">
        {diagnosis.findings.slice(0, SHOWN_MAX).map(({ kind, peer, name, other, otherName, cause, ...finding }) => (
          <li key={`${cause} ${peer} ${other}`} data-cause={cause}>
            <PeerName id={peer} name={name} self={self} /> {rounds.slow.causes[cause]}
            {kind === "link" && other !== null ? (
              <>
                {" "}
                <PeerName id={other} name={otherName} self={self} />
              </>
            ) : null}
            {": "}
            {rounds.slow.costs(format.duration(1_000 * finding.secondsPerRound), finding.rounds, finding.of)}
          </li>
        ))}
      </ul>
    </div>
  );
};
