// Starting one more run: a preset, or a run spec from a file.
import { type FormEvent, useRef, useState } from "react";
import { presets, type StartRun } from "#wire";
import type { AdminWords } from "../words/admin-en.ts";

interface StartRunFormProps {
  readonly words: AdminWords;
  readonly busy: boolean;
  /** Resolves to whether the host serves it; else it has said why not. */
  readonly start: (what: StartRun) => Promise<boolean>;
  readonly refuse: (message: string) => void;
}

export const StartRunForm = ({ words: { start: texts }, busy, start, refuse }: StartRunFormProps) => {
  const form = useRef<HTMLFormElement>(null);
  const [starting, setStarting] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const given = new FormData(form.current!);
    const file = given.get("file") as File;
    let what: StartRun = { run: String(given.get("preset")) };
    if (file.size > 0) {
      try {
        what = { draft: JSON.parse(await file.text()) };
      } catch (error) {
        return refuse(texts.notJson(file.name, (error as Error).message));
      }
    }
    setStarting(true);
    if (await start(what)) form.current?.reset();
    setStarting(false);
  };
  return (
    <section aria-labelledby="start">
      <h2 id="start">{texts.heading}</h2>
      <p className="purpose">{texts.about}</p>
      <form ref={form} onSubmit={submit} className="start-run">
        <label className="field">
          {texts.preset}
          <select name="preset">
            {Object.entries(presets).map(([name, { purpose }]) => (
              <option key={name} value={name} title={purpose}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label className="field">
          {texts.file}
          <input name="file" type="file" accept="application/json,.json" aria-describedby="file-about" />
        </label>
        <p className="fine" id="file-about">
          {texts.fileAbout}
        </p>
        <p className="buttons">
          <button type="submit" disabled={busy || starting}>
            {texts.button}
          </button>
          <span role="status">{starting ? texts.starting : ""}</span>
        </p>
      </form>
    </section>
  );
};
