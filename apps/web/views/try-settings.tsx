// How the model is to write, and a field with its name and its hint.
import { type ReactNode, useId } from "react";
import { useWords } from "../words/index.ts";
import type { TryTexts } from "../words/try-en.ts";

const TOKENS_MAX = 2_000;
const SEED_MAX = 2 ** 32 - 1;

export interface Settings {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly tokens: number;
  readonly seed: number;
}
export const AT_FIRST: Settings = { temperature: 0.8, topK: 0, topP: 0.95, tokens: 300, seed: 1 };

interface TrySettingsProps {
  readonly texts: TryTexts;
  readonly settings: Settings;
  /** Whether a token of this run is a byte. */
  readonly bytes: boolean;
  readonly change: (some: Partial<Settings>) => void;
}

export const TrySettings = ({ texts, settings, bytes, change }: TrySettingsProps) => {
  const { format } = useWords();
  const { temperature, topK, topP, tokens, seed } = settings;
  return (
    <details className="try-settings">
      <summary>{texts.settings(format.times(temperature), String(seed))}</summary>
      <div className="try-choices">
        <Field label={texts.temperature} hint={texts.temperatureMore} shown={format.times(temperature)}>
          {(field) => (
            <input
              {...field}
              type="range"
              min={0}
              max={2}
              step={0.05}
              value={temperature}
              onChange={({ target }) => change({ temperature: target.valueAsNumber })}
            />
          )}
        </Field>
        <Whole
          label={texts.topK}
          value={topK}
          min={0}
          max={65_536}
          empty={texts.topKAll}
          set={(k) => change({ topK: k })}
        />
        <Field label={texts.topP} shown={format.share(topP, 1)}>
          {(field) => (
            <input
              {...field}
              type="range"
              min={0.05}
              max={1}
              step={0.05}
              value={topP}
              onChange={({ target }) => change({ topP: target.valueAsNumber })}
            />
          )}
        </Field>
        <Whole
          label={texts.tokens}
          hint={bytes ? texts.tokensMore : texts.tokensMorePieces}
          value={tokens}
          min={1}
          max={TOKENS_MAX}
          set={(length) => change({ tokens: length })}
        />
        <Whole
          label={texts.seed}
          hint={texts.seedMore}
          value={seed}
          min={0}
          max={SEED_MAX}
          set={(chosen) => change({ seed: chosen })}
        />
      </div>
    </details>
  );
};

interface WholeProps {
  readonly label: string;
  readonly hint?: string;
  readonly value: number;
  readonly min: number;
  readonly max: number;
  /** 0 is shown as an empty field with this in it. */
  readonly empty?: string;
  readonly set: (value: number) => void;
}

/** A whole number; what is none changes nothing. */
const Whole = ({ label, hint, value, min, max, empty, set }: WholeProps) => (
  <Field label={label} hint={hint}>
    {(field) => (
      <input
        {...field}
        type="number"
        inputMode="numeric"
        min={min}
        max={max}
        placeholder={empty}
        value={empty !== undefined && value === 0 ? "" : value}
        onChange={({ target }) => {
          const typed = target.value === "" && empty !== undefined ? 0 : target.valueAsNumber;
          if (Number.isInteger(typed) && typed >= min && typed <= max) set(typed);
        }}
      />
    )}
  </Field>
);

interface FieldProps {
  readonly label: string;
  readonly hint?: string | undefined;
  /** The value, where the control itself does not show it. */
  readonly shown?: string;
  readonly children: (field: { readonly id: string; readonly "aria-describedby": string | undefined }) => ReactNode;
}

export const Field = ({ label, hint, shown, children }: FieldProps) => {
  const id = useId();
  const hintId = `${id}-hint`;
  return (
    <div className="try-field">
      <label htmlFor={id}>
        {label} {shown === undefined ? null : <strong>{shown}</strong>}
      </label>
      {children({ id, "aria-describedby": hint ? hintId : undefined })}
      {hint ? <small id={hintId}>{hint}</small> : null}
    </div>
  );
};
