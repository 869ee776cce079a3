// The person's side: this machine, one button, then what it does for the run right now.
import { useEffect, useRef, useState } from "react";
import { type Machine, machineProblem } from "../machine.ts";
import type { PageActions, PageSnapshot } from "../page-state.ts";
import type { DonorSnapshot, Problem, Task } from "../window/types.ts";
import { sentence } from "../words/format.ts";
import { useWords, type Words } from "../words/index.ts";
import { Rich } from "../words/rich.tsx";
import { DUTY_MIN } from "../worker/duty.ts";
import { problems } from "../worker/problems.ts";
import { adapterName, standIn } from "./adapter.ts";
import { donationCost, roundMsOf } from "./estimate.ts";
import { processorHref, watchHref } from "./places.ts";
import { othersHere } from "./presence.ts";
import { Notices, ProblemAlert } from "./problem.tsx";
import { stateLine, taskLine } from "./state-lines.ts";
import { Terms } from "./terms.tsx";

/** Peers see at most 40 characters (the host's schema). */
const NAME_LENGTH_MAX = 40;

/** What the person gives. */
type Device = "gpu" | "processor";
const deviceOf = (machine: Machine, donor: DonorSnapshot): Device =>
  (donor.adapter ?? machine.adapter)?.backend === "wasm" ? "processor" : "gpu";

const ThisMachine = ({ machine, donor }: { machine: Machine; donor: DonorSnapshot }) => {
  const words = useWords();
  const adapter = donor.adapter ?? machine.adapter;
  if (adapter === null) return machine.state === "checking" ? <p>{words.panel.looking}</p> : null;
  const instead = standIn(words, adapter);
  return (
    <p className="machine">
      <span className="label">{words.panel.thisMachine}</span>
      <span>
        <strong>{adapterName(words, adapter)}</strong>
        {instead ? <span className="tag">{instead}</span> : null}
      </span>
    </p>
  );
};

/** What is true of this machine although nobody had to tell: a page that does not donate yet warns in the same words. */
function noticesOf(words: Words, { donor, machine }: Pick<PageSnapshot, "donor" | "machine">): readonly Problem[] {
  const notices = [...donor.notices];
  const told = (code: Problem["code"]) => notices.some((notice) => notice.code === code);
  const adapter = donor.adapter ?? machine.adapter;
  if (adapter?.backend === "wasm" && !told("no-gpu")) notices.push(problems.noGpu());
  if (adapter?.backend === "webgpu" && adapter.isFallback && !told("software-adapter"))
    notices.push(problems.softwareAdapter(adapterName(words, adapter)));
  if (donor.secondTab && !told("second-tab")) notices.push(problems.secondTab());
  return notices;
}

const TaskProgress = ({ task }: { task: Task }) => (
  <progress
    className="thread"
    aria-label={taskLine(useWords(), task)}
    {...(task.total === null ? {} : { max: Math.max(1, task.total), value: Math.min(task.done, task.total) })}
  />
);

/** Only of a device that takes less than it was given: a note that reassures, not another figure. */
const ShareOfStep = ({ donor: { windows, spec } }: { donor: DonorSnapshot }) => {
  const { panel } = useWords();
  return windows === null || spec === null || windows >= spec.inner.windowsPerStep ? null : (
    <div>
      <dt>{panel.shareOfStep}</dt>
      <dd>
        {panel.shareOfStepText(windows, spec.inner.windowsPerStep)} <small>{panel.shareOfStepMore}</small>
      </dd>
    </div>
  );
};

const Mine = ({ donor, page }: { donor: DonorSnapshot; page: PageSnapshot }) => {
  const { panel, format } = useWords();
  const row = page.watcher.run?.peers.find(({ id }) => id === donor.peer);
  const latest = donor.lossHistory.at(-1);
  return (
    <dl className="figures" aria-label={panel.yourPart}>
      <div>
        <dt>{panel.ownLoss}</dt>
        <dd data-figure="own-loss">{format.loss(latest?.loss)}</dd>
      </div>
      <div>
        <dt>{panel.ownSpeed}</dt>
        <dd>{donor.tokensPerSecond > 0 ? format.count(donor.tokensPerSecond) : "–"}</dd>
      </div>
      <div>
        <dt>{panel.stepTime}</dt>
        <dd>{donor.stepMs === null ? "–" : format.duration(donor.stepMs)}</dd>
      </div>
      <ShareOfStep donor={donor} />
      <div>
        <dt>{panel.contribution}</dt>
        <dd>
          {format.count(row?.tokens ?? 0)}{" "}
          <small>{panel.contributionMore(format.share(row?.tokens ?? 0, page.watcher.run?.tokens ?? 0))}</small>
        </dd>
      </div>
      <div>
        <dt>{panel.rounds}</dt>
        <dd>{format.count(row?.rounds ?? donor.rounds)}</dd>
      </div>
      <div>
        <dt>{panel.traffic}</dt>
        <dd>
          ↑ {format.bytes(donor.bytesSent)} <span className="sep">↓</span> {format.bytes(donor.bytesReceived)}
        </dd>
      </div>
      {donor.desyncs > 0 ? (
        <div>
          <dt>{panel.desyncs}</dt>
          <dd>{format.count(donor.desyncs)}</dd>
        </div>
      ) : null}
    </dl>
  );
};

/** Keyed by what they do: a button never turns into another one under a finger that pressed it twice. */
const Button = ({ label, press, primary = false }: { label: string; press: () => void; primary?: boolean }) => (
  <button type="button" className={primary ? "primary" : undefined} onClick={press}>
    {label}
  </button>
);

interface ButtonsProps {
  readonly donor: DonorSnapshot;
  readonly device: Device;
  readonly actions: PageActions;
}

const Buttons = ({ donor: { status }, device, actions }: ButtonsProps) => {
  const { panel } = useWords();
  const stop = <Button key="stop" label={panel.stop} press={actions.stop} />;
  switch (status) {
    case "idle":
    case "stopped":
      return [<Button key="donate" label={panel.donate[device]} press={actions.donate} primary />];
    case "blocked":
      return [<Button key="again" label={panel.again} press={actions.donate} primary />];
    case "starting":
      return [stop];
    case "donating":
      return [<Button key="pause" label={panel.pause} press={actions.pause} />, stop];
    case "paused":
      return [<Button key="resume" label={panel.resume} press={actions.resume} primary />, stop];
    case "ended":
      return [];
  }
};

const StateText = ({ donor }: { donor: DonorSnapshot }) => {
  const { panel } = useWords();
  switch (donor.status) {
    case "paused":
      return <p>{panel.pausedText}</p>;
    case "stopped":
      return <p>{panel.stoppedText}</p>;
    case "ended":
      return (
        <p>
          {sentence(donor.endReason ?? panel.goalReached)} {panel.endedText}
        </p>
      );
    default:
      return null;
  }
};

const NameField = ({ donor, actions }: { donor: DonorSnapshot; actions: PageActions }) => (
  <p className="name-field">
    <label htmlFor="name">{useWords().panel.name}</label>
    <input
      id="name"
      key={donor.name}
      defaultValue={donor.name}
      maxLength={NAME_LENGTH_MAX}
      autoComplete="nickname"
      spellCheck={false}
      onBlur={({ target }) => {
        if (target.value !== donor.name) actions.rename(target.value);
      }}
    />
  </p>
);

const DUTY_STEP = 0.1;

/** What the person wants for other things: the device rests between two steps. */
const DutySlider = ({ donor, device, actions }: ButtonsProps) => {
  const { panel, format } = useWords();
  const [duty, setDuty] = useState(donor.duty); // the hand is ahead of the worker's next snapshot
  return (
    <p className="name-field">
      <label htmlFor="duty">{panel.duty}</label>
      <span className="duty">
        <input
          id="duty"
          type="range"
          min={DUTY_MIN}
          max={1}
          step={DUTY_STEP}
          value={duty}
          aria-valuetext={panel.dutyOfTime(format.share(duty, 1))}
          aria-describedby="duty-meaning"
          onChange={({ target }) => {
            setDuty(Number(target.value));
            actions.setDuty(Number(target.value));
          }}
        />
        <span aria-hidden="true">{format.share(duty, 1)}</span>
      </span>
      <small id="duty-meaning">{duty < 1 ? panel.dutyRests[device] : panel.dutyLess}</small>
    </p>
  );
};

/** What stops a GPU, and not the machine that it is in. */
const OF_THE_GPU: readonly Problem["code"][] = ["wrong-results", "device-lost", "out-of-memory", "model-too-large"];

const ProcessorInstead = ({ problem, page: { donor, machine, runName } }: { problem: Problem; page: PageSnapshot }) => {
  const { panel } = useWords();
  return OF_THE_GPU.includes(problem.code) && deviceOf(machine, donor) === "gpu" ? (
    <p>
      <Rich text={panel.processorInsteadMore} link={<a href={processorHref(runName)}>{panel.processorInstead}</a>} />
    </p>
  ) : null;
};

/** The button that was pressed is gone in the next state: its place in the focus order goes to the panel, not to the page's top. */
function useFocusKept(status: DonorSnapshot["status"]) {
  const panel = useRef<HTMLElement>(null);
  const seen = useRef(status);
  useEffect(() => {
    if (seen.current !== status && document.activeElement === document.body) panel.current?.focus();
    seen.current = status;
  }, [status]);
  return panel;
}

export const DonorPanel = ({ page, actions }: { page: PageSnapshot; actions: PageActions }) => {
  const words = useWords();
  const { donor, machine, memory, watcher } = page;
  const panel = useFocusKept(donor.status);
  const { run } = watcher;
  const device = deviceOf(machine, donor);
  const before = donor.status === "idle";
  const tooLarge = machine.adapter?.isFallback ? null : (memory?.problem ?? null); // the processor may hold it
  const cannot: Problem | null = before || donor.status === "stopped" ? (machineProblem(machine) ?? tooLarge) : null;
  const others = run ? othersHere(run, donor.peer) : 0;
  const cost = run && donationCost(run.spec, others, roundMsOf(watcher.trainLoss));
  const progress = donor.status === "donating" && donor.phase === "training" && donor.task === null;
  return (
    <section ref={panel} tabIndex={-1} className="panel" aria-labelledby="panel-title" data-status={donor.status}>
      <h2 id="panel-title">{before && run ? words.panel.meaning : words.panel.yours[device]}</h2>
      {before && run && cost ? <Terms others={others} cost={cost} memory={memory} /> : null}
      {before || donor.status === "blocked" ? null : <p className="state-line">{stateLine(words, donor)}</p>}
      {donor.task !== null && (donor.status === "starting" || donor.status === "donating") ? (
        <TaskProgress task={donor.task} />
      ) : null}
      {progress ? (
        <progress className="thread" aria-label={words.panel.stepsOfRound} max={donor.steps || 1} value={donor.step} />
      ) : null}
      <StateText donor={donor} />
      {donor.problem && donor.status === "blocked" ? (
        <ProblemAlert problem={donor.problem}>
          <ProcessorInstead problem={donor.problem} page={page} />
        </ProblemAlert>
      ) : null}
      {cannot ? (
        <ProblemAlert problem={cannot}>
          <ProcessorInstead problem={cannot} page={page} />
          <p>
            <Rich
              text={words.panel.watchInsteadMore}
              link={<a href={watchHref(page.runName)}>{words.panel.watchInstead}</a>}
            />
          </p>
        </ProblemAlert>
      ) : null}
      <Notices notices={noticesOf(words, page)} />
      <ThisMachine machine={machine} donor={donor} />
      {before || donor.status === "blocked" ? null : <Mine donor={donor} page={page} />}
      {donor.status === "donating" || donor.status === "paused" ? (
        <DutySlider donor={donor} device={device} actions={actions} />
      ) : null}
      {before && !cannot ? <NameField donor={donor} actions={actions} /> : null}
      {cannot ? null : (
        <div className="buttons">
          <Buttons donor={donor} device={device} actions={actions} />
        </div>
      )}
      {!before && run && cost && donor.status !== "ended" ? (
        <details>
          <summary>{words.panel.meaning}</summary>
          <Terms others={others} cost={cost} memory={memory} />
        </details>
      ) : null}
    </section>
  );
};
