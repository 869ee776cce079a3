// What was written, a checkpoint beside another, or why nothing was.
import type { TrySide, TrySnapshot } from "../try/types.ts";
import { useWords } from "../words/index.ts";
import type { TryTexts } from "../words/try-en.ts";
import { adapterName } from "./adapter.ts";

interface TrySidesProps {
  readonly texts: TryTexts;
  readonly snapshot: TrySnapshot;
  readonly donating: boolean;
}

export const TrySides = ({ texts, snapshot, donating }: TrySidesProps) => {
  const words = useWords();
  const { checkpoints, newest, problem, sides, busy, adapter, insteadOfGpu } = snapshot;
  const ended = sides.length > 0 && !busy;
  return (
    <>
      <p className="sr-only" role="status">
        {busy ? texts.writing : ""}
        {ended ? sides.map((side) => texts.announced(words.format.count(side.round), side.text)).join(" ") : ""}
      </p>
      {problem ? (
        <p
          className={problem.fault === "none" ? "empty" : "problem"}
          role="alert"
          data-fault={problem.fault}
          title={problem.message}
        >
          {texts.faults[problem.fault]}
        </p>
      ) : checkpoints === null ? (
        <p className="empty">{texts.asking}</p>
      ) : newest === null ? (
        <p className="empty">{texts.none}</p>
      ) : null}
      {sides.length > 0 ? (
        <div className="try-sides">
          {sides.map((side) => (
            <Side key={side.round} texts={texts} side={side} />
          ))}
        </div>
      ) : null}
      {adapter === undefined ? null : (
        <p className="fine">
          {adapter === null ? texts.onProcessor : texts.onGpu(adapterName(words, adapter))}{" "}
          {adapter === null && insteadOfGpu ? texts.insteadOfGpu(insteadOfGpu) : ""} {donating ? texts.donating : ""}
        </p>
      )}
    </>
  );
};

const Side = ({ texts, side }: { texts: TryTexts; side: TrySide }) => {
  const { format } = useWords();
  const { round, anchorHash, state, bytes, bytesTotal, prompt, text, tokens, tokensPerSecond, problem } = side;
  const label =
    state === "fetching" ? texts.fetched(format.bytes(bytes), format.bytes(bytesTotal)) : texts.states[state];
  return (
    <article className="try-side" data-state={state} data-round={round}>
      <h3>
        {texts.sideTitle(format.count(round))} <code title={anchorHash}>{anchorHash.slice(0, 12)}…</code>
      </h3>
      {state === "fetching" ? (
        <progress className="thread" aria-label={texts.states.fetching} max={bytesTotal} value={bytes} />
      ) : null}
      {problem ? (
        <p className="problem" role="alert" data-fault={problem.fault} title={problem.message}>
          {texts.faults[problem.fault]}
        </p>
      ) : (
        <p className="written" dir="auto">
          <span className="given">{prompt}</span>
          <span className="made">{text}</span>
        </p>
      )}
      <p className="fine">
        {label}
        {tokens > 0 ? ` · ${texts.figures(tokens, tokensPerSecond)}` : ""}
      </p>
    </article>
  );
};
