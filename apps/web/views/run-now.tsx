// The run at this moment: the web of peers, round and phase, and its main figures.
import type { Overview, PeerId, RunDetail } from "#wire";
import { useWords } from "../words/index.ts";
import { OrbWeb } from "./orb-web.tsx";
import { hereCount } from "./presence.ts";
import { runPhaseLine } from "./state-lines.ts";

/** The roster's mean step: the slowest peer decides nothing, a quorum does. */
function meanStep(run: RunDetail): number {
  const steps = run.spec.inner.steps;
  const asked = new Set(run.roster);
  const roster = run.peers.filter(({ id }) => asked.has(id));
  if (roster.length === 0) return 0;
  return Math.round(
    roster.reduce((sum, peer) => sum + (run.offered.includes(peer.id) ? steps : peer.step), 0) / roster.length,
  );
}

const RoundProgress = ({ run, stale }: { run: RunDetail; stale: boolean }) => {
  const words = useWords();
  const { now } = words;
  const step = meanStep(run);
  const { steps } = run.spec.inner;
  const training = run.phase === "training";
  return (
    <div className="round">
      <p className="round-line">
        <span className="round-number">{now.round(run.round)}</span>
        <span className="round-phase">{stale ? now.stale : runPhaseLine(words, run)}</span>
      </p>
      {training ? (
        <>
          <progress className="thread" aria-label={now.meanStep} max={steps} value={Math.min(step, steps)} />
          <p className="round-detail">{now.progress(step, steps, run.offered.length, run.roster.length)}</p>
        </>
      ) : null}
      {run.phase === "waiting" && run.state !== "paused" ? <p className="round-detail">{now.resting}</p> : null}
    </div>
  );
};

const speedOf = ({ peers }: RunDetail): number =>
  peers
    .filter(({ state }) => state === "training" || state === "offered")
    .reduce((sum, peer) => sum + peer.tokensPerSecond, 0);

interface RunNowProps {
  readonly run: RunDetail;
  readonly overview: Overview | null;
  readonly self: PeerId | null;
  /** The host does not answer: this is how it was. */
  readonly stale: boolean;
}

export const RunNow = ({ run, overview, self, stale }: RunNowProps) => {
  const { now, format } = useWords();
  // The overview counts everybody, the run's document shows a page of them.
  const tokensPerSecond = overview?.tokensPerSecond ?? speedOf(run);
  return (
    <section aria-labelledby="now" className="now">
      <h2 id="now">{now.title}</h2>
      <div className="now-grid">
        <figure className="web">
          <OrbWeb run={run} self={self} />
          <figcaption>{now.webCaption}</figcaption>
        </figure>
        <div>
          <RoundProgress run={run} stale={stale} />
          <dl className="figures" aria-label={now.figures}>
            <div>
              <dt>{now.trainLoss}</dt>
              <dd data-figure="train-loss">{format.loss(run.head.trainLoss)}</dd>
            </div>
            <div>
              <dt>{now.evalLoss}</dt>
              <dd data-figure="eval-loss">{format.loss(run.head.evalLoss)}</dd>
              <EvalMeasures head={run.head} />
            </div>
            <div>
              <dt>{now.speed}</dt>
              <dd>{tokensPerSecond > 0 ? format.count(tokensPerSecond) : "–"}</dd>
            </div>
            <div>
              <dt>{now.tokens}</dt>
              <dd>{format.sizeInWords(run.tokens)}</dd>
            </div>
            <div>
              <dt>{now.peers}</dt>
              <dd>{format.count(hereCount(run, overview))}</dd>
            </div>
          </dl>
        </div>
      </div>
    </section>
  );
};

/** The same loss in the units that compare with other models'. */
export const EvalMeasures = ({ head: { perplexity, bitsPerByte } }: Pick<RunDetail, "head">) => {
  const { now, format } = useWords();
  if (perplexity === undefined || bitsPerByte === undefined) return null;
  return <dd className="fine">{now.evalMeasures(format.loss(bitsPerByte), format.loss(perplexity))}</dd>;
};
