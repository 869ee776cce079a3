// What the run is and who answers for it: everything a person should know before giving it anything.
import type { RunDetail, RunSummary } from "#wire";
import { useWords } from "../words/index.ts";
import type { DonationCost } from "./estimate.ts";
import { donateHref } from "./places.ts";
import { peersHere } from "./presence.ts";

/** Of more a list is a page of its own; the operator has one. */
const OTHERS_SHOWN = 8;

interface AboutRunProps {
  readonly run: RunDetail;
  readonly cost: DonationCost;
  readonly others: readonly RunSummary[];
}

export const AboutRun = ({ run, cost, others }: AboutRunProps) => {
  const { about } = useWords();
  const { model, base, lora, data, end, ...spec } = run.spec;
  const adapters = lora ? { rank: lora.rank, layers: lora.targets.join(", ") } : null;
  const goals = [
    ...(end.tokensMax === undefined ? [] : [about.goalTokens(end.tokensMax)]),
    ...(end.roundsMax === undefined ? [] : [about.goalRounds(end.roundsMax)]),
  ];
  return (
    <section aria-labelledby="about" className="about">
      <h1 id="about">{spec.name}</h1>
      <p className="purpose">{spec.purpose}</p>
      <dl className="facts">
        <div>
          <dt>{about.operator}</dt>
          <dd>{spec.operator}</dd>
        </div>
        <div>
          <dt>{about.model}</dt>
          <dd>
            {about.modelText(cost.parameters, model.layers, model.dModel, model.contextLength, spec.modelLicence)}
          </dd>
        </div>
        {base ? (
          <div>
            <dt>{about.base}</dt>
            <dd>{about.baseText(base.source, base.licence, adapters)}</dd>
          </div>
        ) : null}
        <div>
          <dt>{about.data}</dt>
          <dd>{about.dataText(data.source, data.licence)}</dd>
        </div>
        <div>
          <dt>{about.here}</dt>
          <dd>{about.hereText(peersHere(run).length, run.state)}</dd>
        </div>
        <div>
          <dt>{about.soFar}</dt>
          <dd>
            {about.soFarText(run.round, run.tokens)}
            {goals.length > 0 && run.state !== "ended" ? `. ${about.endsAfter(goals)}` : ""}
          </dd>
        </div>
        {others.length > 0 ? (
          <div>
            <dt>{about.elsewhere}</dt>
            <dd>
              <ul className="others">
                {others.slice(0, OTHERS_SHOWN).map(({ id, name, state, peers }) => (
                  <li key={id}>
                    <a href={donateHref(id)}>
                      <bdi>{name}</bdi>
                    </a>{" "}
                    <small>{about.elsewhereText(state, peers)}</small>
                  </li>
                ))}
              </ul>
            </dd>
          </div>
        ) : null}
      </dl>
    </section>
  );
};
