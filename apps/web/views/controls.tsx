// What the volunteer allows: one form, before the button and while it trains. A control that this browser cannot observe stands there
// disabled, with the reason.
import { type ReactNode, useState } from "react";
import type { Controls } from "../controls/settings.ts";
import type { PageActions } from "../page-state.ts";
import type { VolunteerSnapshot } from "../window/types.ts";
import { clockOf } from "../words/controls-en.ts";
import { useWords, type Words } from "../words/index.ts";

const BATTERY_CHOICES = [0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9];
/** A day of a small model to a day of a large one. */
const DAILY_CHOICES = [0.5e9, 1e9, 2e9, 5e9, 10e9, 20e9, 50e9, 100e9];
/** What is proposed first: nights. */
const QUIET_PROPOSED = { from: 22 * 60, to: 7 * 60 };

interface ControlsProps {
  readonly volunteer: VolunteerSnapshot;
  readonly bytesToday: number | null; // null: nobody counts before the button
  readonly actions: Pick<PageActions, "allow">;
}

/** The limits that are in force, in a line. */
function limitsOf({ controls: words, format }: Words, { controls, abilities }: VolunteerSnapshot): string[] {
  const { digests } = words;
  const { batteryMin, dailyBytesMax, quiet } = controls;
  return [
    abilities.battery && controls.onlyPluggedIn ? digests.onlyPluggedIn : "",
    abilities.battery && !controls.onlyPluggedIn && batteryMin > 0
      ? digests.batteryMin(format.share(batteryMin, 1))
      : "",
    controls.when === "always" ? "" : digests[controls.when],
    abilities.network !== "none" && controls.metered === "pause" ? digests.metered : "",
    dailyBytesMax === null ? "" : digests.dailyBytesMax(format.bytes(dailyBytesMax)),
    quiet ? digests.quiet(clockOf(quiet.from), clockOf(quiet.to)) : "",
    controls.relayOnly ? digests.relayOnly : "",
  ].filter((limit) => limit !== "");
}

const Row = ({ id, label, hint, children }: { id: string; label: string; hint?: string; children: ReactNode }) => (
  <div className="control">
    <label htmlFor={id}>{label}</label>
    <div>{children}</div>
    {hint ? <small id={`${id}-hint`}>{hint}</small> : null}
  </div>
);

interface ChoiceProps<T> {
  readonly id: string;
  readonly label: string;
  readonly hint?: string;
  readonly value: T;
  readonly choices: readonly { readonly value: T; readonly text: string; readonly disabled?: boolean }[];
  readonly disabled?: boolean;
  readonly choose: (value: T) => void;
}

const Choice = <T,>({ id, label, hint = "", value, choices, disabled = false, choose }: ChoiceProps<T>) => (
  <Row id={id} label={label} hint={hint}>
    <select
      id={id}
      value={choices.findIndex((choice) => choice.value === value)}
      disabled={disabled}
      aria-describedby={hint ? `${id}-hint` : undefined}
      onChange={({ target }) => choose(choices[Number(target.value)].value)}
    >
      {choices.map(({ text, disabled: off = false }, i) => (
        <option key={text} value={i} disabled={off}>
          {text}
        </option>
      ))}
    </select>
  </Row>
);

interface SwitchProps {
  readonly id: string;
  readonly label: string;
  readonly hint?: string;
  readonly on: boolean;
  readonly disabled?: boolean;
  readonly turn: (on: boolean) => void;
}

const Switch = ({ id, label, hint = "", on, disabled = false, turn }: SwitchProps) => (
  <Row id={id} label={label} hint={hint}>
    <input
      id={id}
      type="checkbox"
      checked={on}
      disabled={disabled}
      aria-describedby={hint ? `${id}-hint` : undefined}
      onChange={({ target }) => turn(target.checked)}
    />
  </Row>
);

/** Among the usual ones, what was chosen elsewhere. */
const withOwn = (choices: readonly number[], own: number): number[] =>
  [...new Set([...choices, own])].sort((a, b) => a - b);

const QuietHours = ({ quiet, actions }: { quiet: Controls["quiet"]; actions: ControlsProps["actions"] }) => {
  const { controls: words } = useWords();
  const time = (end: "from" | "to", label: string) => (
    <input
      type="time"
      aria-label={`${words.quiet}, ${label}`}
      value={clockOf(quiet?.[end] ?? QUIET_PROPOSED[end]).padStart(5, "0")}
      required
      onChange={({ target }) => {
        const [hours, minutes] = target.value.split(":").map(Number);
        if (quiet && target.value !== "") actions.allow({ quiet: { ...quiet, [end]: 60 * hours + minutes } });
      }}
    />
  );
  return (
    <Row id="quiet" label={words.quiet}>
      <span className="quiet">
        <input
          id="quiet"
          type="checkbox"
          checked={quiet !== null}
          onChange={({ target }) => actions.allow({ quiet: target.checked ? QUIET_PROPOSED : null })}
        />
        {quiet ? (
          <>
            {words.quietFrom} {time("from", words.quietFrom)} {words.quietTo} {time("to", words.quietTo)}
          </>
        ) : null}
      </span>
    </Row>
  );
};

const Unusable = ({ unusable }: Pick<VolunteerSnapshot, "unusable">) => {
  const { controls: words } = useWords();
  if (unusable.length === 0) return null;
  const names = unusable.flatMap((name) => (name === "version" ? [] : [words.names[name]]));
  return (
    <p className="notice" role="status">
      {names.length === 0 ? words.forgottenAll : words.forgotten(names)}
    </p>
  );
};

export const ControlsForm = ({ volunteer, bytesToday, actions }: ControlsProps) => {
  const words = useWords();
  const { controls: text, format } = words;
  const { controls, abilities, observed, awake } = volunteer;
  const { batteryMin, dailyBytesMax } = controls;
  const [open, setOpen] = useState(volunteer.unusable.length > 0); // it stays open while what it asks for is looked over
  const noBattery = abilities.battery ? "" : text.noBattery;
  const idle = { none: text.idleNone, ask: text.idleAsk, refused: text.idleRefused, told: "" }[abilities.idle];
  const network = { none: text.meteredNone, "save-data": text.meteredSaveData, type: "" }[abilities.network];
  const cap = (value: number | null) => ({ value, text: value === null ? text.noCap : format.bytes(value) });
  return (
    <details className="controls" open={open} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>
        {text.title}: {text.digest(limitsOf(words, volunteer))}
      </summary>
      <Unusable unusable={volunteer.unusable} />
      <div className="control-list">
        <Switch
          id="plugged-in"
          label={text.onlyPluggedIn}
          hint={noBattery}
          on={controls.onlyPluggedIn}
          disabled={!abilities.battery}
          turn={(onlyPluggedIn) => actions.allow({ onlyPluggedIn })}
        />
        <Choice
          id="battery"
          label={text.batteryMin}
          hint={noBattery}
          value={batteryMin}
          disabled={!abilities.battery || controls.onlyPluggedIn}
          choices={withOwn(BATTERY_CHOICES, batteryMin).map((value) => ({
            value,
            text: value === 0 ? text.batteryNone : format.share(value, 1),
          }))}
          choose={(chosen) => actions.allow({ batteryMin: chosen })}
        />
        <Choice
          id="when"
          label={text.when}
          hint={idle}
          value={controls.when}
          choices={(["always", "visible", "idle"] as const).map((value) => ({
            value,
            text: text.whenChoices[value],
            disabled: value === "idle" && (abilities.idle === "none" || abilities.idle === "refused"),
          }))}
          choose={(when) => actions.allow({ when })}
        />
        <Choice
          id="metered"
          label={text.metered}
          hint={network}
          value={controls.metered}
          disabled={abilities.network === "none" && !observed.phone}
          choices={(["pause", "use"] as const).map((value) => ({ value, text: text.meteredChoices[value] }))}
          choose={(metered) => actions.allow({ metered })}
        />
        <Choice
          id="daily"
          label={text.dailyBytesMax}
          hint={bytesToday === null ? "" : text.today(format.bytes(bytesToday))}
          value={dailyBytesMax}
          choices={[...withOwn(DAILY_CHOICES, dailyBytesMax ?? DAILY_CHOICES[0]).map(cap), cap(null)]}
          choose={(chosen) => actions.allow({ dailyBytesMax: chosen })}
        />
        <QuietHours quiet={controls.quiet} actions={actions} />
        <Switch
          id="awake"
          label={text.keepAwake}
          hint={abilities.wakeLock ? text.awake[controls.keepAwake ? awake : "off"] : text.noWakeLock}
          on={controls.keepAwake}
          disabled={!abilities.wakeLock}
          turn={(keepAwake) => actions.allow({ keepAwake })}
        />
        <Switch
          id="notify"
          label={text.notify}
          hint={text.notifyHints[abilities.notify]}
          on={controls.notify && abilities.notify === "granted"}
          disabled={abilities.notify === "none" || abilities.notify === "refused"}
          turn={(notify) => actions.allow({ notify })}
        />
        <Switch
          id="relay-only"
          label={text.relayOnly}
          hint={text.relayOnlyMore}
          on={controls.relayOnly}
          turn={(relayOnly) => actions.allow({ relayOnly })}
        />
      </div>
      {volunteer.remembers ? null : <p className="fine">{text.notKept}</p>}
    </details>
  );
};
