// The volunteer's key: taken away as a file or a QR code, brought here, or forgotten with everything else that this browser keeps.
import { type FormEvent, useState } from "react";
import { PASSPHRASE_LENGTH_MIN } from "../identity/passphrase.ts";
import type { PageActions } from "../page-state.ts";
import type { KeyState, VolunteerSnapshot } from "../window/types.ts";
import { useWords } from "../words/index.ts";

/** Enough to tell one's own from others; the whole is in the file. */
const shortId = (volunteer: string): string => volunteer.slice(0, 12);

interface IdentityProps {
  readonly volunteer: VolunteerSnapshot;
  /** It takes part, and its offers are signed with the key of now. */
  readonly busy: boolean;
  readonly actions: Pick<PageActions, "exportKey" | "importKey" | "measureStorage" | "forget">;
}

const Passphrase = ({ id, label, fresh = false }: { id: string; label: string; fresh?: boolean }) => (
  <p className="name-field">
    <label htmlFor={id}>{label}</label>
    <input
      id={id}
      name="passphrase"
      type="password"
      required
      minLength={fresh ? PASSPHRASE_LENGTH_MIN : undefined}
      autoComplete={fresh ? "new-password" : "current-password"}
    />
  </p>
);

const Exported = ({ exported }: { exported: KeyState & { kind: "exported" } }) => {
  const { identity } = useWords();
  const id = shortId(exported.volunteer);
  const { side, path } = exported.qr;
  return (
    <div className="exported">
      <p>{identity.made(id)}</p>
      <p>
        <a
          href={`data:application/json;charset=utf-8,${encodeURIComponent(exported.text)}`}
          download={identity.fileName(id)}
        >
          {identity.download}
        </a>
      </p>
      <figure>
        <svg className="qr" viewBox={`0 0 ${side} ${side}`} role="img" aria-label={identity.qr}>
          <rect width={side} height={side} fill="#fff" />
          <path d={path} fill="#000" />
        </svg>
        <figcaption>
          {identity.qr}. {identity.qrMore}
        </figcaption>
      </figure>
    </div>
  );
};

const KeyNews = ({ state }: { state: KeyState }) => {
  const { identity } = useWords();
  switch (state.kind) {
    case "untouched":
    case "exported":
      return null;
    case "working":
      return <p role="status">{identity.working}</p>;
    case "imported":
      return <p role="status">{identity.imported(shortId(state.volunteer))}</p>;
    case "failed":
      return (
        <p className="problem" role="alert" data-fault={state.fault}>
          {identity.faults[state.fault]}
        </p>
      );
  }
};

const passphraseOf = (form: HTMLFormElement): string => String(new FormData(form).get("passphrase"));

const TakeAway = ({ volunteer: { key }, actions }: Omit<IdentityProps, "busy">) => {
  const { identity } = useWords();
  const take = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    actions.exportKey(passphraseOf(event.currentTarget));
  };
  return (
    <form onSubmit={take}>
      <h3>{identity.export}</h3>
      <Passphrase id="key-passphrase" label={identity.passphrase} fresh />
      <button type="submit" className="small" disabled={key.kind === "working"}>
        {identity.make}
      </button>
      {key.kind === "exported" ? <Exported exported={key} /> : null}
    </form>
  );
};

const BringHere = ({ volunteer: { key, offeredKey }, busy, actions }: IdentityProps) => {
  const { identity } = useWords();
  const bring = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const passphrase = passphraseOf(event.currentTarget);
    const file = new FormData(event.currentTarget).get("file");
    if (offeredKey !== null) actions.importKey(offeredKey, passphrase);
    else if (file instanceof File) void file.text().then((text) => actions.importKey(text, passphrase));
  };
  return (
    <form onSubmit={bring}>
      <h3>{identity.import}</h3>
      <p>{offeredKey === null ? identity.importMore : `${identity.offered} ${identity.importMore}`}</p>
      {busy ? (
        <p className="notice">{identity.stopFirst}</p>
      ) : (
        <>
          {offeredKey === null ? (
            <p className="name-field">
              <label htmlFor="key-file">{identity.file}</label>
              <input id="key-file" name="file" type="file" accept="application/json,.json" required />
            </p>
          ) : null}
          <Passphrase id="key-file-passphrase" label={identity.filePassphrase} />
          <button type="submit" className="small" disabled={key.kind === "working"}>
            {identity.bring}
          </button>
        </>
      )}
    </form>
  );
};

const Forget = ({ storedBytes, actions }: Pick<IdentityProps, "actions"> & Pick<VolunteerSnapshot, "storedBytes">) => {
  const { identity, format } = useWords();
  return (
    <details className="forget">
      <summary>{identity.forget}</summary>
      <p>{identity.forgetMore(storedBytes === null ? null : format.bytes(storedBytes))}</p>
      <button type="button" className="small" onClick={actions.forget}>
        {identity.forgetNow}
      </button>
    </details>
  );
};

/** Its forms are there once it is open: the panel's own buttons stay few. */
export const Identity = ({ volunteer, busy, actions }: IdentityProps) => {
  const { identity } = useWords();
  const { key, offeredKey, storedBytes } = volunteer;
  const [open, setOpen] = useState(offeredKey !== null || key.kind !== "untouched");
  return (
    <details
      className="identity"
      open={open}
      onToggle={({ currentTarget }) => {
        setOpen(currentTarget.open);
        if (currentTarget.open) actions.measureStorage();
      }}
    >
      <summary>{identity.title}</summary>
      {open ? (
        <>
          <p>{identity.intro}</p>
          <KeyNews state={key} />
          {offeredKey === null ? <TakeAway volunteer={volunteer} actions={actions} /> : null}
          <BringHere volunteer={volunteer} busy={busy} actions={actions} />
          <Forget storedBytes={storedBytes} actions={actions} />
        </>
      ) : null}
    </details>
  );
};
