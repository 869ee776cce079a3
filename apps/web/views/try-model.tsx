// Text in, and what the model makes of it: a form, and one or two checkpoints that write side by side.
//
//   Live joins the thread that writes (try/trial.ts) to Tried, which is a function of its snapshot.
import "../styles/try.css";
import { type FormEvent, type KeyboardEvent, useEffect, useState, useSyncExternalStore } from "react";
import type { PageSnapshot } from "../page-state.ts";
import { createTrial, type Trial } from "../try/trial.ts";
import { emptyTry, type TrySnapshot, type TryWish } from "../try/types.ts";
import { useWords } from "../words/index.ts";
import type { TryTexts } from "../words/try-en.ts";
import { backendOf } from "./places.ts";
import { Samples } from "./samples.tsx";
import { TakeHome } from "./take-home.tsx";
import { AT_FIRST, Field, TrySettings } from "./try-settings.tsx";
import { TrySides } from "./try-sides.tsx";

/** More than this is asked about first: a phone's data is dear, and nobody expects a film's worth of a text box. */
const ASK_BYTES = { phone: 5e6, other: 100e6 };
/** A text box, not a book: of a longer text the model sees the end alone. */
const PROMPT_MAX = 4_000;

/** Software that poses as a GPU is the processor with a detour. */
function engineOf({ machine }: PageSnapshot): TryWish["backend"] {
  const { adapter } = machine;
  if (adapter === null || adapter.backend === "wasm") return "processor";
  return adapter.isFallback && backendOf(new URL(location.href)) !== "webgpu" ? "processor" : "webgpu";
}

const noTrial = { subscribe: () => () => {}, getSnapshot: () => emptyTry };

interface TryModelProps {
  readonly page: PageSnapshot;
  readonly texts: TryTexts;
}

export const TryModel = ({ page, texts }: TryModelProps) =>
  page.tried ? (
    <Tried page={page} texts={texts} snapshot={page.tried} trial={null} />
  ) : (
    <Live page={page} texts={texts} />
  );

/** With a thread of its own, as long as it is there. */
const Live = ({ page, texts }: TryModelProps) => {
  const { run, hostBase } = page.watcher;
  const [trial, setTrial] = useState<Trial | null>(null);
  const runId = run?.id;
  const spec = run?.spec;
  useEffect(() => {
    if (runId === undefined || spec === undefined) return;
    const made = createTrial(hostBase, runId, {
      ...{ model: spec.model, lora: spec.lora, base: spec.base },
      tokenizer: spec.data.tokenizer,
    });
    setTrial(made);
    return () => {
      setTrial(null);
      made.end();
    };
  }, [hostBase, runId, spec]);
  const snapshot = useSyncExternalStore((trial ?? noTrial).subscribe, (trial ?? noTrial).getSnapshot);
  // A checkpoint comes every so many rounds: what there is is asked for anew then, and once the first round is sealed.
  const sealed = run?.round ?? 0;
  const asks = run === null ? 0 : Math.min(sealed, 1) + Math.floor(sealed / run.spec.checkpoint.everyRounds);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each count asks once
  useEffect(() => trial?.list(), [trial, asks]);
  return <Tried page={page} texts={texts} snapshot={snapshot} trial={trial} />;
};

interface TriedProps extends TryModelProps {
  readonly snapshot: TrySnapshot;
  readonly trial: Trial | null;
}

const Tried = ({ page, texts, snapshot, trial }: TriedProps) => {
  const phone = page.volunteer?.observed.phone ?? false;
  return (
    <>
      <TryForm
        texts={texts}
        snapshot={snapshot}
        askBytes={phone ? ASK_BYTES.phone : ASK_BYTES.other}
        bytesAreTokens={page.watcher.run?.spec.data.tokenizer === "bytes"}
        write={(wish) => trial?.write({ ...wish, backend: engineOf(page) })}
        stop={() => trial?.stop()}
      />
      <TrySides texts={texts} snapshot={snapshot} donating={page.donor.status === "donating"} />
      {snapshot.samples ? <Samples texts={texts} samples={snapshot.samples} /> : null}
      <TakeHome texts={texts} snapshot={snapshot} hostBase={page.watcher.hostBase} run={page.watcher.run?.id ?? null} />
    </>
  );
};

interface TryFormProps {
  readonly texts: TryTexts;
  readonly snapshot: TrySnapshot;
  readonly askBytes: number;
  readonly bytesAreTokens: boolean;
  readonly write: (wish: Omit<TryWish, "backend">) => void;
  readonly stop: () => void;
}

/** What a wish would fetch: what of it is not here. */
function bytesToFetch({ checkpoints, newest, here }: TrySnapshot, rounds: readonly (number | null)[]): number {
  const rows = rounds.map((round) => (round === null ? newest : checkpoints?.find((row) => row.round === round)));
  return rows.reduce((sum, row) => {
    if (!row || here.includes(row.round)) return sum;
    return sum + (row.blobs.find(({ name }) => name === "parameters")?.bytes ?? 0);
  }, 0);
}

const TryForm = ({ texts, snapshot, askBytes, bytesAreTokens, write, stop }: TryFormProps) => {
  const { format } = useWords();
  const { checkpoints, newest, busy } = snapshot;
  const [prompt, setPrompt] = useState(texts.example);
  const [settings, setSettings] = useState(AT_FIRST);
  const [round, setRound] = useState<number | null>(null);
  const [other, setOther] = useState<number | null>(null);
  const [asked, setAsked] = useState(false);
  const rounds = other === null ? [round] : [round, other];
  const bytes = bytesToFetch(snapshot, rounds);
  const possible = !busy && prompt !== "" && newest !== null;

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
  const options = (first: string, except: number | null) => (
    <>
      <option value="">{first}</option>
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
  const newestName = newest ? texts.newest(format.count(newest.round)) : texts.newestUnknown;
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
              {options(newestName, null)}
            </select>
          )}
        </Field>
        <Field label={texts.compare}>
          {(field) => (
            <select {...field} value={other ?? ""} onChange={({ target }) => setOther(roundOf(target.value))}>
              {options(texts.compareNone, round ?? newest?.round ?? null)}
            </select>
          )}
        </Field>
      </div>
      <TrySettings
        texts={texts}
        settings={settings}
        bytes={bytesAreTokens}
        change={(some) => setSettings({ ...settings, ...some })}
      />
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
