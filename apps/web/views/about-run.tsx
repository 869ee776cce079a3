// What the run is and who answers for it: everything a person should know before giving it anything.
import type { RunDetail } from "#wire";
import type { DonationCost } from "./estimate.ts";
import { count, sizeInWords } from "./format.ts";
import { peersHere } from "./presence.ts";
import { runStateWords } from "./words.ts";

export const AboutRun = ({ run, cost }: { run: RunDetail; cost: DonationCost }) => {
  const { spec } = run;
  const here = peersHere(run).length;
  const { model, data, end } = spec;
  const goals = [
    end.tokensMax === undefined ? "" : `${sizeInWords(end.tokensMax)} tokens`,
    end.roundsMax === undefined ? "" : `${count(end.roundsMax)} rounds`,
  ].filter((goal) => goal !== "");
  return (
    <section aria-labelledby="about" className="about">
      <h1 id="about">{spec.name}</h1>
      <p className="purpose">{spec.purpose}</p>
      <dl className="facts">
        <div>
          <dt>Operated by</dt>
          <dd>{spec.operator}</dd>
        </div>
        <div>
          <dt>Model</dt>
          <dd>
            {sizeInWords(cost.parameters)} parameters: a Llama-style transformer of {model.layers}{" "}
            {model.layers === 1 ? "layer" : "layers"}, width {model.dModel}, context {count(model.contextLength)}.
            Licence: {spec.modelLicence}
          </dd>
        </div>
        <div>
          <dt>Learns from</dt>
          <dd>
            {data.source}. Licence: {data.licence}
          </dd>
        </div>
        <div>
          <dt>Here now</dt>
          <dd>
            {here === 0 ? "Nobody" : here === 1 ? "1 peer" : `${count(here)} peers`}. {runStateWords[run.state]}
          </dd>
        </div>
        <div>
          <dt>So far</dt>
          <dd>
            {count(run.round)} {run.round === 1 ? "round" : "rounds"}, {sizeInWords(run.tokens)} tokens
            {goals.length > 0 && run.state !== "ended" ? `. It ends after ${goals.join(" or ")}` : ""}
          </dd>
        </div>
      </dl>
    </section>
  );
};
