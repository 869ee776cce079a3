// The operator's page: signing in with a token, then the host's runs, who may come in, and what is decided about both.
import { type FormEvent, useCallback, useEffect, useMemo, useState } from "react";
import type { AdminRun, RunAction, StartRun } from "#wire";
import { LanguageChoice } from "../views/language-choice.tsx";
import type { AdminWords } from "../words/admin-en.ts";
import type { Language } from "../words/language.ts";
import { Access } from "./access.tsx";
import { type AccessRows, AdminClient, AdminError, kept } from "./client.ts";
import { Runs } from "./runs.tsx";
import { StartRunForm } from "./start-run.tsx";

/** A table that somebody looks at; what he decides himself shows at once. */
const REFRESH_MS = 3_000;

interface AdminProps {
  readonly words: AdminWords;
  /** Of the host, without a slash at the end. */
  readonly base: string;
  readonly speak: (language: Language) => void;
}

export const Admin = ({ words, base, speak }: AdminProps) => {
  const [token, setToken] = useState(kept.token);
  const [problem, setProblem] = useState<string | null>(null);
  const sign = (given: string | null) => {
    kept.keep(given);
    setToken(given);
  };
  const signOut = useCallback((why: string | null) => {
    kept.keep(null);
    setToken(null);
    setProblem(why);
  }, []);
  return (
    <>
      <title>{`${words.title} – Gossamer`}</title>
      <header className="top">
        <a className="brand" href="./">
          <img src="./icon.svg" alt="" width="28" height="28" />
          Gossamer
        </a>
        <nav aria-label={words.page}>
          <a href="./">{words.page}</a>
        </nav>
        {token === null ? null : (
          <button type="button" onClick={() => signOut(null)}>
            {words.signOut}
          </button>
        )}
        <LanguageChoice label={words.languageLabel} language={words.language as Language} speak={speak} />
      </header>
      <main>
        <h1>{words.title}</h1>
        {token === null ? (
          <SignIn words={words} problem={problem} sign={sign} />
        ) : (
          <Operating key={token} words={words} base={base} token={token} refused={signOut} />
        )}
      </main>
    </>
  );
};

interface SignInProps {
  readonly words: AdminWords;
  readonly problem: string | null;
  readonly sign: (token: string) => void;
}

const SignIn = ({ words, problem, sign }: SignInProps) => {
  const { signIn } = words;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    sign(String(new FormData(event.currentTarget).get("token")).trim());
  };
  return (
    <section aria-labelledby="sign-in">
      <h2 id="sign-in">{signIn.heading}</h2>
      <p className="purpose">{signIn.about}</p>
      <pre>
        <code>npm run gossamer -- token new</code>
      </pre>
      {problem === null ? null : (
        <p className="problem-line" role="alert">
          {words.refused(problem)}
        </p>
      )}
      <form onSubmit={submit} className="start-run">
        <label className="field">
          {signIn.label}
          <input name="token" type="password" autoComplete="off" required aria-describedby="token-kept" />
        </label>
        <p className="fine" id="token-kept">
          {signIn.kept}
        </p>
        <p className="buttons">
          <button type="submit">{signIn.button}</button>
        </p>
      </form>
    </section>
  );
};

interface OperatingProps {
  readonly words: AdminWords;
  readonly base: string;
  readonly token: string;
  /** The token counts no more. */
  readonly refused: (why: string) => void;
}

const Operating = ({ words, base, token, refused }: OperatingProps) => {
  const client = useMemo(() => new AdminClient(base, token), [base, token]);
  const [runs, setRuns] = useState<readonly AdminRun[] | null>(null);
  const [access, setAccess] = useState<AccessRows | null>(null);
  const [busy, setBusy] = useState(false);
  const [said, setSaid] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [away, setAway] = useState(false);

  const failed = useCallback(
    (error: unknown, quietly: boolean) => {
      if (!(error instanceof AdminError)) throw error;
      if (error.status === 401) return refused(error.message);
      setAway(error.status === undefined);
      if (error.status !== undefined && !quietly) setProblem(error.message);
    },
    [refused],
  );
  const refresh = useCallback(async () => {
    try {
      const [nowRuns, nowAccess] = await Promise.all([client.runs(), client.access()]);
      setRuns(nowRuns);
      setAccess(nowAccess);
      setAway(false);
    } catch (error) {
      failed(error, true);
    }
  }, [client, failed]);
  useEffect(() => {
    void refresh();
    const timer = setInterval(refresh, REFRESH_MS);
    return () => clearInterval(timer);
  }, [refresh]);

  /** @param done what was done, in words. @returns whether it was */
  const decide = async (done: () => Promise<string>): Promise<boolean> => {
    setBusy(true);
    setProblem(null);
    setSaid("");
    try {
      setSaid(await done());
      await refresh();
      return true;
    } catch (error) {
      failed(error, false);
      return false;
    } finally {
      setBusy(false);
    }
  };
  const act = (run: AdminRun, action: RunAction, reason?: string) =>
    void decide(async () => words.runs.done[action]((await client.act(run.id, action, reason)).name));
  const start = (what: StartRun) => decide(async () => words.runs.done.start((await client.start(what)).name));

  return (
    <>
      <div className="said">
        <p role="status">{said}</p>
        {problem === null ? null : (
          <p className="problem-line" role="alert">
            {words.refused(problem)}
          </p>
        )}
        {away ? (
          <p className="problem-line" role="status">
            {words.hostGone}
          </p>
        ) : null}
      </div>
      {runs === null ? away ? null : <p role="status">{words.asking}</p> : <Runs {...{ words, runs, busy, act }} />}
      <StartRunForm words={words} busy={busy} start={start} refuse={setProblem} />
      {access === null ? null : <Access rows={access} {...{ words, client, base, busy, decide }} />}
    </>
  );
};
