// The model to take home: for which tool, how exact, which checkpoint; the browser downloads what the host makes of it.
import { type FormEvent, useState } from "react";
import type { ExportFormat, ExportType } from "#formats";
import { askDownload, type Download, typesOf } from "../try/take-home.ts";
import type { TrySnapshot } from "../try/types.ts";
import { useWords } from "../words/index.ts";
import type { TryTexts } from "../words/try-en.ts";
import { Field } from "./try-settings.tsx";

interface TakeHomeProps {
  readonly texts: TryTexts;
  readonly snapshot: TrySnapshot;
  readonly hostBase: string;
  /** The run's id; null: not known yet. */
  readonly run: string | null;
}

/** What came of the last press; null: nothing was asked. */
type Answer = { readonly begun: Download } | { readonly refused: string } | null;

export const TakeHome = ({ texts, snapshot, hostBase, run }: TakeHomeProps) => {
  const { format: words } = useWords();
  const { checkpoints, newest } = snapshot;
  const [format, setFormat] = useState<ExportFormat>("gguf");
  const [dtype, setDtype] = useState<ExportType>(typesOf.gguf[0]);
  const [round, setRound] = useState<number | null>(null); // null: the newest, whichever that is
  const [asking, setAsking] = useState(false);
  const [answer, setAnswer] = useState<Answer>(null);
  const possible = !asking && run !== null && newest !== null;

  const choose = (wanted: ExportFormat): void => {
    setFormat(wanted);
    setDtype(typesOf[wanted][0]);
  };
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!possible) return;
    setAsking(true);
    setAnswer(null);
    try {
      const begun = await askDownload({ base: hostBase, run }, { format, dtype, round: round ?? newest.round });
      download(begun);
      setAnswer({ begun });
    } catch (error) {
      setAnswer({ refused: (error as Error).message });
    }
    setAsking(false);
  };
  return (
    <section className="take-home" aria-labelledby="take-home">
      <h3 id="take-home">{texts.takeHome}</h3>
      <p className="note">{texts.takeHomeNote}</p>
      <form className="try-form" onSubmit={submit}>
        <div className="try-choices">
          <Field label={texts.takeFor}>
            {(field) => (
              <select {...field} value={format} onChange={({ target }) => choose(target.value as ExportFormat)}>
                <option value="gguf">{texts.formats.gguf}</option>
                <option value="safetensors">{texts.formats.safetensors}</option>
              </select>
            )}
          </Field>
          <Field label={texts.exactness}>
            {(field) => (
              <select {...field} value={dtype} onChange={({ target }) => setDtype(target.value as ExportType)}>
                {typesOf[format].map((type) => (
                  <option key={type} value={type}>
                    {texts.types[type]}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label={texts.takeRound}>
            {(field) => (
              <select
                {...field}
                value={round ?? ""}
                onChange={({ target }) => setRound(target.value === "" ? null : Number(target.value))}
              >
                <option value="">{newest ? texts.newest(words.count(newest.round)) : texts.newestUnknown}</option>
                {(checkpoints ?? []).map((row) => (
                  <option key={row.round} value={row.round}>
                    {texts.afterRound(words.count(row.round))}
                  </option>
                ))}
              </select>
            )}
          </Field>
        </div>
        <div className="buttons">
          <button type="submit" disabled={!possible}>
            {texts.take}
          </button>
        </div>
        <p role="status" className="fine">
          {answer !== null && "begun" in answer
            ? texts.begun(answer.begun.name, words.bytes(answer.begun.bytes))
            : null}
        </p>
        {answer !== null && "refused" in answer ? (
          <p className="notice" role="alert">
            {texts.refused} <span lang="en">{answer.refused}</span>
          </p>
        ) : null}
      </form>
    </section>
  );
};

/** As if a link had been pressed: the browser shows how far it is, and keeps the file. */
function download({ url, name }: Download): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}
