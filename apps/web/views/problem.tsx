// A problem is a title, what it is, and the way out. An alert when it stops the donation, a note when it does not.
import { type ReactNode, useState } from "react";
import type { Problem } from "../window/types.ts";
import { sentence } from "./format.ts";
import { problemTitle } from "./words.ts";

export const ProblemAlert = ({ problem, children }: { problem: Problem; children?: ReactNode }) => (
  <div className="problem" role="alert" data-code={problem.code}>
    <h3>{problemTitle[problem.code]}</h3>
    <p>{sentence(problem.message)}</p>
    <p className="remedy">
      <strong>What you can do: </strong>
      {problem.remedy}
    </p>
    {problem.report ? <Report text={problem.report} /> : null}
    {children}
  </div>
);

/** Text for whoever mends it: readable before it is passed on. */
const Report = ({ text }: { text: string }) => {
  const [copied, setCopied] = useState<"" | "Copied." | "The browser did not allow it: select the text and copy it.">(
    "",
  );
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setCopied("Copied."),
      () => setCopied("The browser did not allow it: select the text and copy it."),
    );
  };
  return (
    <details className="report">
      <summary>Report</summary>
      <button type="button" onClick={copy}>
        Copy the report
      </button>{" "}
      <span role="status">{copied}</span>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard */}
      <pre tabIndex={0}>{text}</pre>
    </details>
  );
};

export const Notices = ({ notices }: { notices: readonly Problem[] }) =>
  notices.length === 0 ? null : (
    <ul className="notices" aria-label="Notices">
      {notices.map((notice) => (
        <li key={notice.code} className="notice" data-code={notice.code}>
          <strong>{problemTitle[notice.code]}.</strong> {sentence(notice.message)} {notice.remedy}
        </li>
      ))}
    </ul>
  );
