// A problem is a title, what it is, and the way out. An alert when it stops the donation, a note when it does not.
import { type ReactNode, useState } from "react";
import type { Problem } from "../window/types.ts";
import { sentence } from "../words/format.ts";
import { useWords, type Words } from "../words/index.ts";
import type { ProblemText } from "../words/problems-en.ts";

/** In the page's language. What nobody has words for stays as it was reported. */
function problemText({ problems }: Words, { told, ...problem }: Problem): ProblemText {
  if (told === undefined) return problem;
  const say = problems[told.text] as (...given: readonly unknown[]) => ProblemText;
  return say(...told.given);
}

export const ProblemAlert = ({ problem, children }: { problem: Problem; children?: ReactNode }) => {
  const words = useWords();
  const { message, remedy } = problemText(words, problem);
  return (
    <div className="problem" role="alert" data-code={problem.code}>
      <h3>{words.problemTitles[problem.code]}</h3>
      <p>{sentence(message)}</p>
      <p className="remedy">
        <strong>{words.problem.remedy} </strong>
        {remedy}
      </p>
      {problem.report ? <Report text={problem.report} /> : null}
      {children}
    </div>
  );
};

/** Text for whoever mends it: readable before it is passed on. */
const Report = ({ text }: { text: string }) => {
  const { problem } = useWords();
  const [outcome, setOutcome] = useState<"copied" | "notCopied">();
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setOutcome("copied"),
      () => setOutcome("notCopied"),
    );
  };
  return (
    <details className="report">
      <summary>{problem.report}</summary>
      <button type="button" onClick={copy}>
        {problem.copyReport}
      </button>{" "}
      <span role="status">{outcome ? problem[outcome] : ""}</span>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard */}
      <pre tabIndex={0}>{text}</pre>
    </details>
  );
};

export const Notices = ({ notices }: { notices: readonly Problem[] }) => {
  const words = useWords();
  if (notices.length === 0) return null;
  return (
    <ul className="notices" aria-label={words.problem.notices}>
      {notices.map((notice) => {
        const { message, remedy } = problemText(words, notice);
        return (
          <li key={notice.code} className="notice" data-code={notice.code}>
            <strong>{words.problemTitles[notice.code]}.</strong> {sentence(message)} {remedy}
          </li>
        );
      })}
    </ul>
  );
};
