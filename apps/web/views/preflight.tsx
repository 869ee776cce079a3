// The check before donating: adapter, memory, results, and the way that links would take. It begins when the person opens it.
import { useState } from "react";
import type { PageActions, PageSnapshot } from "../page-state.ts";
import type { CheckState, LinkPrognosis } from "../window/types.ts";
import { useWords } from "../words/index.ts";
import { adapterName } from "./adapter.ts";
import { ProblemAlert } from "./problem.tsx";

const Row = ({ label, state, text, more }: { label: string; state: string; text: string; more?: string }) => (
  <div data-state={state}>
    <dt>{label}</dt>
    <dd>
      {text}
      {more ? <small> {more}</small> : null}
    </dd>
  </div>
);

/** What the steps say together: a check that is through is announced once. */
function verdict(states: readonly CheckState[], link: LinkPrognosis): "working" | "passed" | "failed" {
  if (states.includes("failed")) return "failed";
  return states.every((state) => state === "passed") && link !== "working" ? "passed" : "working";
}

export const Preflight = ({ page, actions }: { page: PageSnapshot; actions: Pick<PageActions, "check"> }) => {
  const words = useWords();
  const { check: text, format } = words;
  const { check, link, adapter } = page.donor;
  const [open, setOpen] = useState(check !== null);
  return (
    <details
      className="preflight"
      open={open}
      onToggle={({ currentTarget }) => {
        setOpen(currentTarget.open);
        if (currentTarget.open && check === null) actions.check();
      }}
    >
      <summary>{text.title}</summary>
      <p>{text.intro}</p>
      {check ? (
        <>
          <dl className="terms">
            <Row
              label={text.adapter}
              state={check.adapter}
              text={text.states[check.adapter]}
              {...(adapter ? { more: adapterName(words, adapter) } : {})}
            />
            <Row
              label={text.memory}
              state={check.memory}
              text={text.states[check.memory]}
              {...(page.memory ? { more: text.memoryNeed(format.bytes(page.memory.mostBytes)) } : {})}
            />
            <Row label={text.results} state={check.results} text={text.states[check.results]} more={text.resultsMore} />
            <Row label={text.link} state={link} text={text.links[link]} />
          </dl>
          {check.problem ? <ProblemAlert problem={check.problem} /> : null}
          {verdict([check.adapter, check.memory, check.results], link) === "passed" ? (
            <p role="status">{text.passed}</p>
          ) : null}
        </>
      ) : null}
    </details>
  );
};
