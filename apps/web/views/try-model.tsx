// Text in, and what the model makes of it: a form, and one or two checkpoints that write side by side.
//
//   TryModel joins the thread that writes (try/trial.ts) to TryForm and TrySides, which are functions of its snapshot.
import "../styles/try.css";
import {
  type FormEvent,
  type KeyboardEvent,
  type ReactNode,
  use,
  useEffect,
  useId,
  useState,
  useSyncExternalStore,
} from "react";
import type { PageSnapshot } from "../page-state.ts";
import { createTrial, type Trial } from "../try/trial.ts";
import { emptyTry, type TrySide, type TrySnapshot, type TryWish } from "../try/types.ts";
import { useWords } from "../words/index.ts";
import { loadTryTexts } from "../words/try.ts";
import type { TryTexts } from "../words/try-en.ts";
import { adapterName } from "./adapter.ts";
import { backendOf } from "./places.ts";

/** More than this is asked about first: a phone's data is dear, and nobody expects a film's worth of a text box. */
const ASK_BYTES = { phone: 5e6, other: 100e6 };
/** A text box, not a book: of a longer text the model sees the end alone. */
const PROMPT_MAX = 4_000;
const TOKENS_MAX = 2_000;
const SEED_MAX = 2 ** 32 - 1;

interface Settings {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly tokens: number;
  readonly seed: number;
}
const AT_FIRST: Settings = { temperature: 0.8, topK: 0, topP: 0.95, tokens: 300, seed: 1 };

/** Software that poses as a GPU is the processor with a detour. */
function engineOf({ machine }: PageSnapshot): TryWish["backend"] {
  const { adapter } = machine;
  if (adapter === null || adapter.backend === "wasm") return "processor";
  return adapter.isFallback && backendOf(new URL(location.href)) !== "webgpu" ? "processor" : "webgpu";
}

const noTrial = { subscribe: () => () => {}, getSnapshot: () => emptyTry };

export const TryModel = ({ page }: { page: PageSnapshot }) => {
  const { language } = useWords();
  const texts = use(loadTryTexts(language));
  const { run, hostBase } = page.watcher;
  const [trial, setTrial] = useState<Trial | null>(null);
  const runId = run?.id;
  const model = run?.spec.model;
  useEffect(() => {
    if (runId === undefined || model === undefined) return;
    const made = createTrial(hostBase, runId, model);
    setTrial(made);
    return () => {
      setTrial(null);
      made.end();
    };
  }, [hostBase, runId, model]);
  const snapshot = useSyncExternalStore((trial ?? noTrial).subscribe, (trial ?? noTrial).getSnapshot);
  // A checkpoint comes every so many rounds: the list is asked for anew then.
  const checkpoints = run === null ? 0 : Math.floor(run.round / run.spec.checkpoint.everyRounds);
  useEffect(() => {
    if (checkpoints > 0) trial?.list();
  }, [trial, checkpoints]);
  const phone = page.volunteer?.observed.phone ?? false;
  const donating = page.donor.status === "donating";
  return (
    <>
      <TryForm
        texts={texts}
        snapshot={snapshot}
        askBytes={phone ? ASK_BYTES.phone : ASK_BYTES.other}
        write={(wish) => trial?.write({ ...wish, backend: engineOf(page) })}
        stop={() => trial?.stop()}
      />
      <TrySides texts={texts} snapshot={snapshot} donating={donating} />
    </>
  );
};

interface TryFormProps {
  readonly texts: TryTexts;
  readonly snapshot: TrySnapshot;
  readonly askBytes: number;
  readonly write: (wish: Omit<TryWish, "backend">) => void;
  readonly stop: () => void;
}

/** What a wish would fetch: what of it is not here. */
function bytesToFetch({ checkpoints, here }: TrySnapshot, rounds: readonly (number | null)[]): number {
  const rows = rounds.map((round) =>
    round === null ? checkpoints?.[0] : checkpoints?.find((row) => row.round === round),
  );
  return rows.reduce((sum, row) => {
    if (!row || here.includes(row.round)) return sum;
    return sum + (row.blobs.find(({ name }) => name === "parameters")?.bytes ?? 0);
  }, 0);
}

export const TryForm = ({ texts, snapshot, askBytes, write, stop }: TryFormProps) => {
  const { format } = useWords();
  const { checkpoints, busy } = snapshot;
  const [prompt, setPrompt] = useState(texts.example);
  const [settings, setSettings] = useState(AT_FIRST);
  const [round, setRound] = useState<number | null>(null);
  const [other, setOther] = useState<number | null>(null);
  const [asked, setAsked] = useState(false);
  const rounds = other === null ? [round] : [round, other];
  const bytes = bytesToFetch(snapshot, rounds);
  const possible = !busy && prompt !== "" && checkpoints !== null && checkpoints.length > 0;

  const go = (sure: boolean): void => {
    if (!possible) return;
    setAsked(bytes > askBytes && !sure);
    if (bytes > askBytes && !sure) return;
    const { tokens, ...sampling } = settings;
    write({ prompt, tokens, sampling, rounds });
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    go(false);
  };
  const keyed = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    go(false);
  };
  const options = (newest: string | null, except: number | null) => (
    <>
      <option value="">{newest}</option>
      {(checkpoints ?? [])
        .filter((row) => row.round !== except)
        .map((row) => (
          <option key={row.round} value={row.round}>
            {texts.afterRound(format.count(row.round))}
          </option>
        ))}
    </>
  );
  const roundOf = (value: string): number | null => (value === "" ? null : Number(value));
  const newest = checkpoints?.[0] ? texts.newest(format.count(checkpoints[0].round)) : texts.newestUnknown;
  return (
    <form className="try-form" onSubmit={submit}>
      <Field label={texts.prompt} hint={texts.keys}>
        {(field) => (
          <textarea
            {...field}
            rows={3}
            maxLength={PROMPT_MAX}
            required
            value={prompt}
            onChange={({ target }) => setPrompt(target.value)}
            onKeyDown={keyed}
          />
        )}
      </Field>
      <div className="try-choices">
        <Field label={texts.checkpoint}>
          {(field) => (
            <select {...field} value={round ?? ""} onChange={({ target }) => setRound(roundOf(target.value))}>
              {options(newest, null)}
            </select>
          )}
        </Field>
        <Field label={texts.compare}>
          {(field) => (
            <select {...field} value={other ?? ""} onChange={({ target }) => setOther(roundOf(target.value))}>
              {options(texts.compareNone, round ?? checkpoints?.[0]?.round ?? null)}
            </select>
          )}
        </Field>
      </div>
      <TrySettings texts={texts} settings={settings} change={(some) => setSettings({ ...settings, ...some })} />
      <div className="buttons">
        <button type="submit" className="primary" disabled={!possible}>
          {busy ? texts.writing : texts.write}
        </button>
        {busy ? (
          <button type="button" onClick={stop}>
            {texts.stop}
          </button>
        ) : null}
        {possible && bytes > 0 ? <small>{texts.fetches(format.bytes(bytes))}</small> : null}
      </div>
      {asked && !busy ? (
        <div className="notice" role="alert">
          <p>{texts.confirm(format.bytes(bytes))}</p>
          <div className="buttons">
            <button type="button" onClick={() => go(true)}>
              {texts.confirmYes(format.bytes(bytes))}
            </button>
            <button type="button" onClick={() => setAsked(false)}>
              {texts.confirmNo}
            </button>
          </div>
        </div>
      ) : null}
    </form>
  );
};

interface TrySettingsProps {
  readonly texts: TryTexts;
  readonly settings: Settings;
  readonly change: (some: Partial<Settings>) => void;
}

const TrySettings = ({ texts, settings, change }: TrySettingsProps) => {
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
          hint={texts.tokensMore}
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

const Field = ({ label, hint, shown, children }: FieldProps) => {
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

interface TrySidesProps {
  readonly texts: TryTexts;
  readonly snapshot: TrySnapshot;
  readonly donating: boolean;
}

export const TrySides = ({ texts, snapshot, donating }: TrySidesProps) => {
  const words = useWords();
  const { checkpoints, problem, sides, busy, adapter, insteadOfGpu } = snapshot;
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
      ) : checkpoints.length === 0 ? (
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
