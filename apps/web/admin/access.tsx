// Who may come in: bans and invitations, and the newest lines of the audit trail.
import { type FormEvent, useState } from "react";
import type { AdminWords } from "../words/admin-en.ts";
import type { AccessRows, AdminClient } from "./client.ts";
import { Table } from "./table.tsx";

/** Lines of the audit trail on the page; the file on the host has all. */
const AUDIT_SHOWN = 30;
const HOUR_MS = 3_600_000;
const spansMs = { hour: HOUR_MS, day: 24 * HOUR_MS, month: 30 * 24 * HOUR_MS, ever: undefined } as const;
type Span = keyof typeof spansMs;

interface AccessProps {
  readonly words: AdminWords;
  readonly rows: AccessRows;
  readonly client: AdminClient;
  /** Of the host, for links. */
  readonly base: string;
  readonly busy: boolean;
  /** Does it, says what was done or why not, and shows the rows as they are then. */
  readonly decide: (done: () => Promise<string>) => Promise<boolean>;
}

const given = (event: FormEvent<HTMLFormElement>) => {
  event.preventDefault();
  const data = new FormData(event.currentTarget);
  const text = (name: string) => String(data.get(name) ?? "").trim();
  const forMs = spansMs[text("span") as Span];
  return { text, form: event.currentTarget, ...(forMs === undefined ? {} : { forMs }) };
};

const SpanChoice = ({ words: { access }, first }: { readonly words: AdminWords; readonly first: Span }) => (
  <label className="field">
    {access.span}
    <select name="span" defaultValue={first}>
      {(Object.keys(spansMs) as Span[]).map((span) => (
        <option key={span} value={span}>
          {access.spans[span]}
        </option>
      ))}
    </select>
  </label>
);

export const Access = (props: AccessProps) => (
  <>
    <Invites {...props} />
    <Bans {...props} />
    <Audit {...props} />
  </>
);

const Invites = ({ words, rows, client, base, busy, decide }: AccessProps) => {
  const { access } = words;
  const { invites: texts } = access;
  const [link, setLink] = useState<string | null>(null);
  const add = async (event: FormEvent<HTMLFormElement>) => {
    const { text, form, ...span } = given(event);
    const made = await decide(async () => {
      const { code } = await client.invite({ label: text("label"), usesMax: Number(text("usesMax")), ...span });
      setLink(`${base}/?invite=${code}`);
      return "";
    });
    if (made) form.reset();
  };
  return (
    <section aria-labelledby="invites">
      <h2 id="invites">{texts.heading}</h2>
      <p className="purpose">{texts.about}</p>
      <Table
        caption={texts.caption}
        none={texts.none}
        columns={[
          { title: texts.columns.label },
          { title: texts.columns.uses },
          { title: texts.columns.ends },
          { title: texts.columns.actions },
        ]}
        rows={rows.invites.map(({ id, label, uses, usesMax, endsAt }) => (
          <tr key={id}>
            <th scope="row">
              <bdi>{label || id}</bdi>
            </th>
            <td>{texts.uses(uses, usesMax)}</td>
            <td>{endsAt === null ? access.forEver : access.when(endsAt)}</td>
            <td>
              <button
                type="button"
                disabled={busy}
                aria-label={texts.withdrawing(label || id)}
                onClick={() => decide(() => client.remove("invites", id).then(() => texts.withdrawn))}
              >
                {texts.withdraw}
              </button>
            </td>
          </tr>
        ))}
      />
      <form onSubmit={add} className="start-run" aria-label={texts.heading}>
        <label className="field">
          {texts.label}
          <input name="label" type="text" maxLength={80} required />
        </label>
        <label className="field">
          {texts.usesMax}
          <input name="usesMax" type="number" min={1} max={100_000} defaultValue={1} required />
        </label>
        <SpanChoice words={words} first="month" />
        <p className="buttons">
          <button type="submit" disabled={busy}>
            {texts.add}
          </button>
        </p>
      </form>
      <p role="status" className="made-link">
        {link === null ? null : (
          <>
            {texts.made} <code>{link}</code>
          </>
        )}
      </p>
    </section>
  );
};

const Bans = ({ words, rows, client, busy, decide }: AccessProps) => {
  const { access } = words;
  const { bans: texts } = access;
  const add = async (event: FormEvent<HTMLFormElement>) => {
    const { text, form, ...span } = given(event);
    const what = { volunteer: text("volunteer"), reason: text("reason"), ...span };
    if (await decide(() => client.ban(what).then(() => texts.added))) form.reset();
  };
  return (
    <section aria-labelledby="bans">
      <h2 id="bans">{texts.heading}</h2>
      <Table
        caption={texts.caption}
        none={texts.none}
        columns={[
          { title: texts.columns.key },
          { title: texts.columns.why },
          { title: texts.columns.until },
          { title: texts.columns.by },
          { title: texts.columns.actions },
        ]}
        rows={rows.bans.map(({ volunteer, reason, until, by }) => (
          <tr key={volunteer}>
            <th scope="row">
              <code title={volunteer}>{volunteer.slice(0, 12)}</code>
            </th>
            <td>{reason}</td>
            <td>{until === null ? access.forEver : access.when(until)}</td>
            <td>{texts.by[by]}</td>
            <td>
              <button
                type="button"
                disabled={busy}
                aria-label={texts.lifting(volunteer.slice(0, 12))}
                onClick={() => decide(() => client.remove("bans", volunteer).then(() => texts.lifted))}
              >
                {texts.lift}
              </button>
            </td>
          </tr>
        ))}
      />
      <form onSubmit={add} className="start-run" aria-label={texts.heading}>
        <label className="field">
          {texts.key}
          <input name="volunteer" type="text" pattern="[0-9a-f]{64}" spellCheck={false} autoComplete="off" required />
        </label>
        <label className="field">
          {texts.reason}
          <input name="reason" type="text" maxLength={200} />
        </label>
        <SpanChoice words={words} first="day" />
        <p className="buttons">
          <button type="submit" disabled={busy}>
            {texts.add}
          </button>
        </p>
      </form>
    </section>
  );
};

const Audit = ({ words, rows }: AccessProps) => {
  const { audit: texts, when } = words.access;
  return (
    <section aria-labelledby="audit">
      <h2 id="audit">{texts.heading}</h2>
      {rows.audit.length === 0 ? <p>{texts.none}</p> : <p className="fine">{texts.caption}</p>}
      <ol className="audit">
        {rows.audit
          .slice(-AUDIT_SHOWN)
          .reverse()
          .map(({ time, event, ...fields }, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines of one moment may be alike, and none of them has a state
            <li key={`${time} ${i}`}>
              <time dateTime={time}>{when(Date.parse(time))}</time> {event} <small>{detailOf(fields)}</small>
            </li>
          ))}
      </ol>
    </section>
  );
};

/** As the trail has it: names and values. */
const detailOf = (fields: Readonly<Record<string, unknown>>): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name} ${typeof value === "string" && value.length === 64 ? value.slice(0, 12) : value}`)
    .join(", ");
