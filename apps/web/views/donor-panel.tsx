// The person's side: this machine, one button, then what it does for the run right now.
import { useEffect, useRef } from "react";
import { decide, type PauseReason } from "../controls/decide.ts";
import { DUTY_MIN } from "../controls/settings.ts";
import { type Machine, machineProblem, missingGpu } from "../machine.ts";
import type { PageActions, PageSnapshot } from "../page-state.ts";
import type { DonorSnapshot, Problem, Task, VolunteerSnapshot } from "../window/types.ts";
import { useWords, type Words } from "../words/index.ts";
import { Rich } from "../words/rich.tsx";
import { problems } from "../worker/problems.ts";
import { adapterName, standIn } from "./adapter.ts";
import { ControlsForm } from "./controls.tsx";
import { type DonationCost, donationCost, roundMsOf } from "./estimate.ts";
import { Identity } from "./identity.tsx";
import { Island } from "./island.tsx";
import { PauseReasons } from "./pause-reasons.tsx";
import { processorHref, watchHref } from "./places.ts";
import { Preflight } from "./preflight.tsx";
import { othersHere } from "./presence.ts";
import { Notices, ProblemAlert } from "./problem.tsx";
import { endLine, stateLine, taskLine } from "./state-lines.ts";
import { Terms } from "./terms.tsx";
import { YourPart } from "./your-part.tsx";

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
function noticesOf(
  words: Words,
  { donor, machine, earlier }: Pick<PageSnapshot, "donor" | "machine" | "earlier">,
): readonly Problem[] {
  const notices = [...donor.notices];
  const told = (code: Problem["code"]) => notices.some((notice) => notice.code === code);
  const adapter = donor.adapter ?? machine.adapter;
  const missing = donor.status === "idle" ? missingGpu(machine) : null;
  if (missing) notices.push(missing);
  if (adapter?.backend === "wasm" && !told("no-gpu")) notices.push(problems.noGpu());
  if (adapter?.backend === "webgpu" && adapter.isFallback && !told("software-adapter"))
    notices.push(problems.softwareAdapter(adapterName(words, adapter)));
  if (earlier === "interrupted" && donor.status === "idle") notices.push(problems.interrupted());
  if (earlier === "discarded" && donor.status !== "stopped") notices.push(problems.discarded());
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

/** Known before anything is sent: phones ask before they use mobile data. What else stands against it is said once it is wanted. */
const networkReasons = ({ controls, observed }: VolunteerSnapshot): readonly PauseReason[] =>
  decide(controls, { ...observed, pausedByHand: false, minuteOfDay: 0, bytesToday: 0 }).because.filter(
    ({ code }) => code === "metered" || code === "network-unknown",
  );

/** What paused by itself goes on by itself; only the person's own pause waits for a press. */
const byHand = (because: readonly PauseReason[]): boolean =>
  because.length === 0 || because.some(({ code }) => code === "by-hand");

const Buttons = ({ donor: { status, pausedBecause }, device, actions }: ButtonsProps) => {
  const { panel } = useWords();
  const pause = <Button key="pause" label={panel.pause} press={actions.pause} />;
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
      return [pause, stop];
    case "paused":
      return byHand(pausedBecause)
        ? [<Button key="resume" label={panel.resume} press={actions.resume} primary />, stop]
        : [pause, stop];
    case "ended":
      return [];
  }
};

interface StateProps {
  readonly donor: DonorSnapshot;
  readonly cost: DonationCost | null;
  readonly actions: PageActions;
}

const StateText = ({ donor, cost, actions }: StateProps) => {
  const words = useWords();
  const { panel, pause } = words;
  switch (donor.status) {
    case "paused":
      return (
        <>
          <PauseReasons because={donor.pausedBecause} label={pause.title} cost={cost} actions={actions} />
          <p>{panel.pausedText}</p>
        </>
      );
    case "stopped":
      return <p>{panel.stoppedText}</p>;
    case "ended":
      return (
        <p>
          {endLine(words, donor.endReason)} {panel.endedText}
        </p>
      );
    default:
      return null;
  }
};

const NameField = ({ name, actions }: { name: string; actions: PageActions }) => (
  <p className="name-field">
    <label htmlFor="name">{useWords().panel.name}</label>
    <input
      id="name"
      key={name}
      defaultValue={name}
      maxLength={NAME_LENGTH_MAX}
      autoComplete="nickname"
      spellCheck={false}
      onBlur={({ target }) => {
        if (target.value !== name) actions.rename(target.value);
      }}
    />
  </p>
);

const DUTY_STEP = 0.1;

/** What the person wants for other things: the device rests between two steps. */
const DutySlider = ({ duty, device, actions }: { duty: number } & Pick<ButtonsProps, "device" | "actions">) => {
  const { panel, format } = useWords();
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
          onChange={({ target }) => actions.allow({ duty: Number(target.value) })}
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

const progressing = ({ status }: DonorSnapshot): boolean => status === "starting" || status === "donating";

export const DonorPanel = ({ page, actions }: { page: PageSnapshot; actions: PageActions }) => {
  const words = useWords();
  const { donor, machine, memory, volunteer, watcher } = page;
  const panel = useFocusKept(donor.status);
  const { run } = watcher;
  const device = deviceOf(machine, donor);
  const hidden = volunteer?.controls.relayOnly ?? false;
  const before = donor.status === "idle";
  const tooLarge = machine.adapter?.isFallback ? null : (memory?.problem ?? null); // the processor may hold it
  const cannot: Problem | null = before || donor.status === "stopped" ? (machineProblem(machine) ?? tooLarge) : null;
  const unable = machineProblem(machine) !== null;
  const others = run ? othersHere(run, donor.peer) : 0;
  const { sizes, trainLoss } = watcher;
  const cost = run && sizes ? donationCost(run.spec, sizes, others, roundMsOf(trainLoss)) : null;
  const progress = donor.status === "donating" && donor.phase === "training" && donor.task === null;
  return (
    <section ref={panel} tabIndex={-1} className="panel" aria-labelledby="panel-title" data-status={donor.status}>
      <h2 id="panel-title">
        {before && unable ? words.panel.unable : before && run ? words.panel.meaning : words.panel.yours[device]}
      </h2>
      {before && run && cost && !unable ? <Terms others={others} cost={cost} memory={memory} hidden={hidden} /> : null}
      {before || donor.status === "blocked" ? null : <p className="state-line">{stateLine(words, donor)}</p>}
      {donor.task !== null && progressing(donor) ? <TaskProgress task={donor.task} /> : null}
      {progress ? (
        <progress className="thread" aria-label={words.panel.stepsOfRound} max={donor.steps || 1} value={donor.step} />
      ) : null}
      {donor.island && progressing(donor) ? <Island island={donor.island} donor={donor} /> : null}
      <StateText donor={donor} cost={cost} actions={actions} />
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
      {before || donor.status === "blocked" ? null : <YourPart donor={donor} page={page} />}
      {volunteer && before && !cannot ? (
        <PauseReasons because={networkReasons(volunteer)} label={words.pause.before} cost={cost} actions={actions} />
      ) : null}
      {volunteer && (donor.status === "donating" || donor.status === "paused") ? (
        <DutySlider duty={volunteer.controls.duty} device={device} actions={actions} />
      ) : null}
      {volunteer && !cannot && donor.status !== "ended" && donor.status !== "blocked" ? (
        <ControlsForm volunteer={volunteer} bytesToday={before ? null : donor.bytesToday} actions={actions} />
      ) : null}
      {volunteer && before && !cannot ? <NameField name={volunteer.name} actions={actions} /> : null}
      {run && !cannot && (before || donor.status === "stopped") ? <Preflight page={page} actions={actions} /> : null}
      {volunteer ? (
        <Identity
          volunteer={volunteer}
          busy={donor.status === "starting" || donor.status === "donating" || donor.status === "paused"}
          actions={actions}
        />
      ) : null}
      {cannot ? null : (
        <div className="buttons">
          <Buttons donor={donor} device={device} actions={actions} />
        </div>
      )}
      {!before && run && cost && donor.status !== "ended" ? (
        <details>
          <summary>{words.panel.meaning}</summary>
          <Terms others={others} cost={cost} memory={memory} hidden={hidden} />
        </details>
      ) : null}
    </section>
  );
};
