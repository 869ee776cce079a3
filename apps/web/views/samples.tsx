// What the model made of the run's own prompts, checkpoint by checkpoint: one drags through time and reads how it learned to write.
import { useId, useState } from "react";
import type { Samples as SampleSheet } from "#wire";
import { useWords } from "../words/index.ts";
import type { TryTexts } from "../words/try-en.ts";

interface SamplesProps {
  readonly texts: TryTexts;
  readonly samples: SampleSheet;
}

export const Samples = ({ texts, samples: { prompts, samples } }: SamplesProps) => {
  const { format } = useWords();
  const [round, setRound] = useState<number | null>(null); // null: the newest, whichever that is
  const id = useId();
  if (prompts.length === 0) return null;
  const last = samples.length - 1;
  const chosen = samples.findIndex((row) => row.round === round);
  const place = chosen === -1 ? last : chosen;
  const row = samples.at(place);
  return (
    <section className="samples" aria-labelledby={id}>
      <h3 id={id}>{texts.samples}</h3>
      {row === undefined ? (
        <p className="empty">{texts.samplesNone}</p>
      ) : (
        <>
          <p className="note">{texts.samplesNote}</p>
          {last > 0 ? (
            <label className="try-field samples-time">
              <strong>{texts.sideTitle(format.count(row.round))}</strong>
              <input
                type="range"
                min={0}
                max={last}
                value={place}
                aria-label={texts.samplesTime}
                aria-valuetext={texts.afterRound(format.count(row.round))}
                onChange={({ target }) =>
                  setRound(target.valueAsNumber === last ? null : samples[target.valueAsNumber].round)
                }
              />
            </label>
          ) : (
            <p className="fine">{texts.sideTitle(format.count(row.round))}</p>
          )}
          {prompts.map((prompt, i) => (
            <p key={prompt} className="written" data-round={row.round}>
              <span className="given">{prompt}</span>
              {row.texts[i]}
            </p>
          ))}
        </>
      )}
    </section>
  );
};
