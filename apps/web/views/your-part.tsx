// What this browser has given: figures that the host's record and this machine's own meters say, an estimate of energy with its basis, and
// a few lines to share.
import { useState } from "react";
import type { PageSnapshot } from "../page-state.ts";
import type { DonorSnapshot } from "../window/types.ts";
import { useWords } from "../words/index.ts";
import { energyOf } from "./energy.ts";

/** Only of a device that takes less than it was given: a note that reassures, not another figure. */
const ShareOfStep = ({ donor: { windows, spec } }: { donor: DonorSnapshot }) => {
  const { panel } = useWords();
  return windows === null || spec === null || windows >= spec.inner.windowsPerStep ? null : (
    <div>
      <dt>{panel.shareOfStep}</dt>
      <dd>
        {panel.shareOfStepText(windows, spec.inner.windowsPerStep)} <small>{panel.shareOfStepMore}</small>
      </dd>
    </div>
  );
};

const EnergyFigure = ({ donor: { adapter, trainedMs } }: { donor: DonorSnapshot }) => {
  const { part, format } = useWords();
  if (adapter === null || trainedMs === 0) return null;
  const { wattsMin, wattsMax, kWhMin, kWhMax } = energyOf(adapter, trainedMs);
  return (
    <div className="wide">
      <dt>{part.energy}</dt>
      <dd>
        {part.energyText(format.energy(kWhMin), format.energy(kWhMax))}{" "}
        <small>{part.energyBasis(format.duration(trainedMs), wattsMin, wattsMax)}</small>
      </dd>
    </div>
  );
};

/** To post or to send: nothing in it that the run does not show to everybody. */
const Card = ({ text }: { text: string }) => {
  const { part, problem } = useWords();
  const [copied, setCopied] = useState<boolean | null>(null);
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  const [open, setOpen] = useState(false);
  return (
    <details className="card" open={open} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>{part.card}</summary>
      {open ? (
        <>
          <blockquote>{text}</blockquote>
          <button type="button" className="small" onClick={copy}>
            {part.copy}
          </button>{" "}
          <span role="status">{copied === null ? "" : copied ? problem.copied : problem.notCopied}</span>
        </>
      ) : null}
    </details>
  );
};

export const YourPart = ({ donor, page }: { donor: DonorSnapshot; page: PageSnapshot }) => {
  const { panel, part, format } = useWords();
  const { run } = page.watcher;
  const row = run?.peers.find(({ id }) => id === donor.peer);
  const latest = donor.lossHistory.at(-1);
  const tokens = row?.tokens ?? 0;
  const rounds = row?.rounds ?? donor.rounds;
  const share = format.share(tokens, run?.tokens ?? 0);
  return (
    <>
      <dl className="figures" aria-label={panel.yourPart}>
        <div>
          <dt>{panel.ownLoss}</dt>
          <dd data-figure="own-loss">{format.loss(latest?.loss)}</dd>
        </div>
        <div>
          <dt>{panel.ownSpeed}</dt>
          <dd>{donor.tokensPerSecond > 0 ? format.count(donor.tokensPerSecond) : "–"}</dd>
        </div>
        <div>
          <dt>{panel.stepTime}</dt>
          <dd>{donor.stepMs === null ? "–" : format.duration(donor.stepMs)}</dd>
        </div>
        <ShareOfStep donor={donor} />
        <div>
          <dt>{panel.contribution}</dt>
          <dd>
            {format.count(tokens)} <small>{panel.contributionMore(share)}</small>
          </dd>
        </div>
        <div>
          <dt>{panel.rounds}</dt>
          <dd>{format.count(rounds)}</dd>
        </div>
        <div>
          <dt>{panel.traffic}</dt>
          <dd>
            <span className="way">↑ {format.bytes(donor.bytesSent)}</span>{" "}
            <span className="way">↓ {format.bytes(donor.bytesReceived)}</span>
          </dd>
        </div>
        <div>
          <dt>{part.host}</dt>
          <dd>
            <span className="way">↑ {format.bytes(donor.bytesToHost)}</span>{" "}
            <span className="way">↓ {format.bytes(donor.bytesFromHost)}</span>
          </dd>
        </div>
        {donor.desyncs > 0 ? (
          <div>
            <dt>{panel.desyncs}</dt>
            <dd>{format.count(donor.desyncs)}</dd>
          </div>
        ) : null}
        <EnergyFigure donor={donor} />
      </dl>
      {run && tokens > 0 ? (
        <Card text={`${part.cardText(format.count(tokens), share, rounds, run.name)} ${page.watcher.hostBase}`} />
      ) : null}
    </>
  );
};
