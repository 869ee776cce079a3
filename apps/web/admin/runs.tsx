// The runs of a host in a table, and what can be decided about each.
import { useRef } from "react";
import type { AdminRun, RunAction } from "#wire";
import type { AdminWords } from "../words/admin-en.ts";
import { Table } from "./table.tsx";

/** What makes sense in which state; the host has the last word. */
const actionsOf = {
  running: ["pause", "end"],
  resting: ["pause", "end"],
  paused: ["resume", "end", "archive"],
  ended: ["archive"],
  stored: ["start"],
  archived: ["start"],
} as const satisfies Record<AdminRun["state"], readonly RunAction[]>;

interface RunsProps {
  readonly words: AdminWords;
  readonly runs: readonly AdminRun[];
  readonly busy: boolean;
  readonly act: (run: AdminRun, action: RunAction, reason?: string) => void;
}

export const Runs = ({ words, runs, busy, act }: RunsProps) => {
  const { runs: texts } = words;
  return (
    <section aria-labelledby="runs">
      <h2 id="runs">{texts.heading}</h2>
      <Table
        caption={texts.caption}
        none={texts.none}
        columns={[
          { title: texts.columns.run },
          { title: texts.columns.state },
          { title: texts.columns.actions },
          { title: texts.columns.round, isNumber: true },
          { title: texts.columns.peers, isNumber: true },
          { title: texts.columns.tokens, isNumber: true },
        ]}
        rows={runs.map((run) => <Row key={run.id} words={words} run={run} busy={busy} act={act} />)}
      />
    </section>
  );
};

const Row = ({ words, run, busy, act }: Omit<RunsProps, "runs"> & { readonly run: AdminRun }) => {
  const { runs: texts } = words;
  const served = run.state !== "stored" && run.state !== "archived";
  const name = run.name || run.id.slice(0, 12);
  return (
    <tr>
      <th scope="row" className="run-name">
        {served ? <a href={run.isDefault ? "./watch" : `./watch?run=${run.id}`}>{name}</a> : name}
        {run.isDefault ? <small> {texts.isDefault}</small> : null}
        <small className="run-id">
          <code>{run.id.slice(0, 12)}</code>
        </small>
        {run.problem === null ? null : <small className="problem-line">{run.problem}</small>}
      </th>
      <td>{texts.states[run.state]}</td>
      <td>
        <span className="row-buttons">
          {run.problem === null
            ? actionsOf[run.state].map((action) =>
                action === "end" ? (
                  <End key={action} words={words} run={run} busy={busy} act={act} />
                ) : (
                  <button
                    key={action}
                    type="button"
                    disabled={busy}
                    aria-label={texts.doing(texts.actions[action], name)}
                    onClick={() => act(run, action)}
                  >
                    {texts.actions[action]}
                  </button>
                ),
              )
            : null}
        </span>
      </td>
      <td className="number">{served ? texts.count(run.round) : "–"}</td>
      <td className="number">{served ? texts.count(run.peers) : "–"}</td>
      <td className="number">{served ? texts.tokens(run.tokens) : "–"}</td>
    </tr>
  );
};

/** What nothing takes back is asked about once more. */
const End = ({ words, run, busy, act }: Omit<RunsProps, "runs"> & { readonly run: AdminRun }) => {
  const dialog = useRef<HTMLDialogElement>(null);
  const reason = useRef<HTMLInputElement>(null);
  const { runs: texts, end } = words;
  return (
    <>
      <button
        type="button"
        disabled={busy}
        aria-label={texts.doing(texts.actions.end, run.name)}
        onClick={() => dialog.current?.showModal()}
      >
        {texts.actions.end}
      </button>
      <dialog ref={dialog} aria-labelledby={`end-${run.id}`}>
        <h3 id={`end-${run.id}`}>{end.heading(run.name)}</h3>
        <p>{end.about(run.peers)}</p>
        <label className="field">
          {end.reason}
          <input ref={reason} type="text" maxLength={200} />
        </label>
        <p className="buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            {end.cancel}
          </button>
          <button
            type="button"
            className="grave"
            onClick={() => {
              dialog.current?.close();
              act(run, "end", reason.current?.value.trim());
            }}
          >
            {end.confirm}
          </button>
        </p>
      </dialog>
    </>
  );
};
