// The run at this moment: the web of peers, round and phase, and its main figures.
import type { PeerId, RunDetail } from "#wire";
import { count, loss, sizeInWords } from "./format.ts";
import { OrbWeb } from "./orb-web.tsx";
import { peersHere } from "./presence.ts";
import { runPhaseWords } from "./words.ts";

/** The roster's mean step: the slowest peer decides nothing, a quorum does. */
function meanStep(run: RunDetail): number {
  const steps = run.spec.inner.steps;
  const roster = run.peers.filter(({ id }) => run.roster.includes(id));
  if (roster.length === 0) return 0;
  return Math.round(
    roster.reduce((sum, peer) => sum + (run.offered.includes(peer.id) ? steps : peer.step), 0) / roster.length,
  );
}

const RoundProgress = ({ run, stale }: { run: RunDetail; stale: boolean }) => {
  const step = meanStep(run);
  const { steps } = run.spec.inner;
  const training = run.phase === "training";
  return (
    <div className="round">
      <p className="round-line">
        <span className="round-number">Round {count(run.round)}</span>
        <span className="round-phase">{stale ? "as last heard of" : runPhaseWords(run)}</span>
      </p>
      {training ? (
        <>
          <progress className="thread" aria-label="Mean step of the roster" max={steps} value={Math.min(step, steps)} />
          <p className="round-detail">
            step {count(step)} of {count(steps)}; {count(run.offered.length)} of {count(run.roster.length)} offered
          </p>
        </>
      ) : null}
      {run.phase === "waiting" && run.state !== "paused" ? (
        <p className="round-detail">
          Nobody trains now. The run rests, and goes on where it was when somebody donates.
        </p>
      ) : null}
    </div>
  );
};

/** @param stale the host does not answer: this is how it was */
export const RunNow = ({ run, self, stale }: { run: RunDetail; self: PeerId | null; stale: boolean }) => {
  const tokensPerSecond = run.peers
    .filter(({ state }) => state === "training" || state === "offered")
    .reduce((sum, peer) => sum + peer.tokensPerSecond, 0);
  return (
    <section aria-labelledby="now" className="now">
      <h2 id="now">Right now</h2>
      <div className="now-grid">
        <figure className="web">
          <OrbWeb run={run} self={self} />
          <figcaption>A drop is a peer: it runs to the middle as its steps go by.</figcaption>
        </figure>
        <div>
          <RoundProgress run={run} stale={stale} />
          <dl className="figures" aria-label="The run’s figures">
            <div>
              <dt>Training loss</dt>
              <dd data-figure="train-loss">{loss(run.head.trainLoss)}</dd>
            </div>
            <div>
              <dt>Held-out loss</dt>
              <dd data-figure="eval-loss">{loss(run.head.evalLoss)}</dd>
            </div>
            <div>
              <dt>Tokens/s, all peers</dt>
              <dd>{tokensPerSecond > 0 ? count(tokensPerSecond) : "–"}</dd>
            </div>
            <div>
              <dt>Tokens committed</dt>
              <dd>{sizeInWords(run.tokens)}</dd>
            </div>
            <div>
              <dt>Peers here</dt>
              <dd>{count(peersHere(run).length)}</dd>
            </div>
          </dl>
        </div>
      </div>
    </section>
  );
};
