// A problem is a title, what it is, and the way out. An alert when it stops the donation, a note when it does not.
import type { ReactNode } from "react";
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
    {children}
  </div>
);

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
