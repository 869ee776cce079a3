// The person's side: this machine, one button, then what it does for the run right now.
import { useEffect, useRef, useState } from "react";
import { type Machine, machineProblem } from "../machine.ts";
import type { PageActions, PageSnapshot } from "../page-state.ts";
import type { DonorSnapshot, Problem, Task } from "../window/types.ts";
import { DUTY_MIN } from "../worker/duty.ts";
import { problems } from "../worker/problems.ts";
import { adapterName, standIn } from "./adapter.ts";
import { donationCost, roundMsOf } from "./estimate.ts";
import { bytes, count, duration, loss, sentence, share } from "./format.ts";
import { processorHref, watchHref } from "./places.ts";
import { othersHere } from "./presence.ts";
import { Notices, ProblemAlert } from "./problem.tsx";
import { Terms } from "./terms.tsx";
import { stateLine, taskWords } from "./words.ts";

/** Peers see at most 40 characters (the host's schema). */
const NAME_LENGTH_MAX = 40;

/** What the person gives, in a word. */
const deviceOf = (machine: Machine, donor: DonorSnapshot): string =>
  (donor.adapter ?? machine.adapter)?.backend === "wasm" ? "processor" : "GPU";

const ThisMachine = ({ machine, donor }: { machine: Machine; donor: DonorSnapshot }) => {
  const adapter = donor.adapter ?? machine.adapter;
  if (adapter === null) return machine.state === "checking" ? <p>Looking for a GPU…</p> : null;
  return (
    <p className="machine">
      <span className="label">This machine</span>
      <span>
        <strong>{adapterName(adapter)}</strong>
        {standIn(adapter) ? <span className="tag">{standIn(adapter)}</span> : null}
      </span>
    </p>
  );
};

/** What is true of this machine although nobody had to tell: a page that does not donate yet warns in the same words. */
function noticesOf({ donor, machine }: Pick<PageSnapshot, "donor" | "machine">): readonly Problem[] {
  const notices = [...donor.notices];
  const told = (code: Problem["code"]) => notices.some((notice) => notice.code === code);
  const adapter = donor.adapter ?? machine.adapter;
  if (adapter?.backend === "wasm" && !told("no-gpu")) notices.push(problems.noGpu());
  if (adapter?.backend === "webgpu" && adapter.isFallback && !told("software-adapter"))
    notices.push({
      code: "software-adapter",
      message: "The processor poses as a GPU: it works, some ten to a hundred times slower.",
      remedy: "If this machine has a GPU, turn on hardware acceleration in the browser’s settings.",
    });
  if (donor.secondTab && !told("second-tab"))
    notices.push({
      code: "second-tab",
      message: "A second tab on one GPU adds nothing: both share it.",
      remedy: "Close one of them, and keep the other.",
    });
  return notices;
}

const TaskProgress = ({ task }: { task: Task }) => (
  <progress
    className="thread"
    aria-label={taskWords(task)}
    {...(task.total === null ? {} : { max: Math.max(1, task.total), value: Math.min(task.done, task.total) })}
  />
);

/** Only of a device that takes less than it was given: a note that reassures, not another figure. */
const ShareOfStep = ({ donor: { windows, spec } }: { donor: DonorSnapshot }) =>
  windows === null || spec === null || windows >= spec.inner.windowsPerStep ? null : (
    <div>
      <dt>Share of a step</dt>
      <dd>
        {windows} of {spec.inner.windowsPerStep} <small>sequences per step, so that this device keeps up</small>
      </dd>
    </div>
  );

const Mine = ({ donor, page }: { donor: DonorSnapshot; page: PageSnapshot }) => {
  const row = page.watcher.run?.peers.find(({ id }) => id === donor.peer);
  const latest = donor.lossHistory.at(-1);
  return (
    <dl className="figures" aria-label="Your part">
      <div>
        <dt>Your loss</dt>
        <dd data-figure="own-loss">{loss(latest?.loss)}</dd>
      </div>
      <div>
        <dt>Your tokens/s</dt>
        <dd>{donor.tokensPerSecond > 0 ? count(donor.tokensPerSecond) : "–"}</dd>
      </div>
      <div>
        <dt>Time per step</dt>
        <dd>{donor.stepMs === null ? "–" : duration(donor.stepMs)}</dd>
      </div>
      <ShareOfStep donor={donor} />
      <div>
        <dt>Your contribution</dt>
        <dd>
          {count(row?.tokens ?? 0)} <small>tokens, {share(row?.tokens ?? 0, page.watcher.run?.tokens ?? 0)}</small>
        </dd>
      </div>
      <div>
        <dt>Rounds that counted</dt>
        <dd>{count(row?.rounds ?? donor.rounds)}</dd>
      </div>
      <div>
        <dt>To and from peers</dt>
        <dd>
          ↑ {bytes(donor.bytesSent)} <span className="sep">↓</span> {bytes(donor.bytesReceived)}
        </dd>
      </div>
      {donor.desyncs > 0 ? (
        <div>
          <dt>Desyncs repaired</dt>
          <dd>{count(donor.desyncs)}</dd>
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
  readonly device: string;
  readonly actions: PageActions;
}

const Buttons = ({ donor: { status }, device, actions }: ButtonsProps) => {
  const stop = <Button key="stop" label="Stop" press={actions.stop} />;
  switch (status) {
    case "idle":
    case "stopped":
      return [<Button key="donate" label={`Donate this ${device}`} press={actions.donate} primary />];
    case "blocked":
      return [<Button key="again" label="Try again" press={actions.donate} primary />];
    case "starting":
      return [stop];
    case "donating":
      return [<Button key="pause" label="Pause" press={actions.pause} />, stop];
    case "paused":
      return [<Button key="resume" label="Resume" press={actions.resume} primary />, stop];
    case "ended":
      return [];
  }
};

const StateText = ({ donor }: { donor: DonorSnapshot }) => {
  switch (donor.status) {
    case "paused":
      return <p>Your share of the next rounds goes to the others. What you gave so far counts.</p>;
    case "stopped":
      return <p>Thank you. What you gave so far counts, and you can start again at any time.</p>;
    case "ended":
      return <p>{sentence(donor.endReason ?? "Its goal is reached")} Thank you for your part in it.</p>;
    default:
      return null;
  }
};

const NameField = ({ donor, actions }: { donor: DonorSnapshot; actions: PageActions }) => (
  <p className="name-field">
    <label htmlFor="name">Your name, if you like</label>
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
  const [duty, setDuty] = useState(donor.duty); // the hand is ahead of the worker's next snapshot
  return (
    <p className="name-field">
      <label htmlFor="duty">Time for training</label>
      <span className="duty">
        <input
          id="duty"
          type="range"
          min={DUTY_MIN}
          max={1}
          step={DUTY_STEP}
          value={duty}
          aria-valuetext={`${share(duty, 1)} of the time`}
          aria-describedby="duty-meaning"
          onChange={({ target }) => {
            setDuty(Number(target.value));
            actions.setDuty(Number(target.value));
          }}
        />
        <span aria-hidden="true">{share(duty, 1)}</span>
      </span>
      <small id="duty-meaning">
        {duty < 1 ? `The ${device} rests after each step.` : "Less leaves room for what else you do."}
      </small>
    </p>
  );
};

/** What stops a GPU, and not the machine that it is in. */
const OF_THE_GPU: readonly Problem["code"][] = ["wrong-results", "device-lost", "out-of-memory", "model-too-large"];

const ProcessorInstead = ({ problem, page: { donor, machine, runName } }: { problem: Problem; page: PageSnapshot }) =>
  OF_THE_GPU.includes(problem.code) && deviceOf(machine, donor) === "GPU" ? (
    <p>
      <a href={processorHref(runName)}>Donate the processor instead</a>: slower, and it needs no GPU.
    </p>
  ) : null;

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
      <h2 id="panel-title">{before && run ? "What donating means" : `Your ${device}`}</h2>
      {before && run && cost ? <Terms others={others} cost={cost} memory={memory} /> : null}
      {before || donor.status === "blocked" ? null : <p className="state-line">{stateLine(donor)}</p>}
      {donor.task !== null && (donor.status === "starting" || donor.status === "donating") ? (
        <TaskProgress task={donor.task} />
      ) : null}
      {progress ? (
        <progress className="thread" aria-label="Steps of this round" max={donor.steps || 1} value={donor.step} />
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
            <a href={watchHref(page.runName)}>Watch the run instead</a>: that needs no GPU.
          </p>
        </ProblemAlert>
      ) : null}
      <Notices notices={noticesOf(page)} />
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
          <summary>What donating means</summary>
          <Terms others={others} cost={cost} memory={memory} />
        </details>
      ) : null}
    </section>
  );
};
