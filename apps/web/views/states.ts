// The page in every state that it has, by name: for tests that look at all of them. Whatever has kinds is listed by its type, so a new
// reason, problem, phase or ability does not compile until there is a state here that shows it.
import type { IslandWait, RunDetail } from "#wire";
import type { PauseCode, PauseReason } from "../controls/decide.ts";
import { type ControlName, defaultControls } from "../controls/settings.ts";
import type { Browser, Machine } from "../machine.ts";
import { type ChartAxis, emptyWatcher, idleDonor, type PageSnapshot } from "../page-state.ts";
import type { SideState, TryFault, TrySide, TrySnapshot } from "../try/types.ts";
import type {
  DonorSnapshot,
  IslandView,
  KeyState,
  Problem,
  ProblemCode,
  Task,
  VolunteerSnapshot,
  WatcherSnapshot,
} from "../window/types.ts";
import { problems } from "../worker/problems.ts";
import * as fixtures from "./fixtures.ts";
import { donating, emptyPage, emptyRun, endedRun, machine, moment, page, run, watcher } from "./fixtures.ts";
import { tried, triedSamples, triedSide } from "./fixtures-try.ts";
import { phone, silent, strict, volunteer } from "./fixtures-volunteer.ts";

type States = Readonly<Record<string, PageSnapshot>>;

/** One state for each entry of a table that a type makes complete. */
const each = <K extends string, V>(
  name: string,
  table: Readonly<Record<K, V>>,
  state: (value: V, key: K) => PageSnapshot,
): States =>
  Object.fromEntries((Object.keys(table) as K[]).map((key) => [`${name}: ${key}`, state(table[key], key)] as const));

/**
 * Where the person's side or what one tries is what differs, the run has little to show: whoever judges every state need not judge the same
 * sections two hundred times.
 */
const quiet: WatcherSnapshot = {
  ...emptyWatcher,
  connection: "live",
  hostBase: watcher.hostBase,
  run: { ...run, peers: run.peers.slice(0, 1), churn: [] },
  sizes: watcher.sizes,
  trainLoss: watcher.trainLoss, // what an hour costs is reckoned by it
};
const aside = (change: Partial<PageSnapshot>): PageSnapshot => page({ watcher: quiet, ...change });
const withDonor = (donor: Partial<DonorSnapshot>): PageSnapshot => aside({ donor: { ...donating, ...donor } });
const withVolunteer = (change: Partial<VolunteerSnapshot>): PageSnapshot =>
  aside({ volunteer: { ...volunteer, ...change } });
const withMachine = (change: Partial<Machine>): PageSnapshot => aside({ machine: { ...machine, ...change } });
const withRun = (change: Partial<RunDetail>): PageSnapshot =>
  page({ watcher: { ...watcher, run: { ...run, ...change } } });

/** In the way: the donation cannot go on by itself. */
const blocking = {
  "insecure-context": [problems.insecureContext()],
  "no-webgpu": [problems.noWebGpu("chromium")],
  "no-adapter": [problems.noAdapter("firefox"), problems.gpuFailed("gone")],
  "device-lost": [problems.deviceLost("gone")],
  "out-of-memory": [problems.outOfMemory("gone")],
  "model-too-large": [problems.modelTooLarge("gradient needs 494 MiB in one piece")],
  "wrong-results": [{ ...problems.noSlot(), code: "wrong-results", report: '{"failed": ["rope"]}' }],
  "no-slot": [problems.noSlot()],
  refused: [problems.refused("fork", "gone"), problems.refused("invite-needed", "")],
  "worker-failed": [problems.workerFailed("gone"), problems.codeNotLoaded("gone"), problems.dataUnusable("gone")],
} as const satisfies Partial<Record<ProblemCode, readonly Problem[]>>;

/** True right now, and not in the way. */
const noticed: Readonly<Record<Exclude<ProblemCode, keyof typeof blocking>, Problem>> = {
  "host-gone": problems.hostGone("closed"),
  "line-blocked": problems.lineBlocked(),
  "storage-refused": problems.storageRefused("gone"),
  "storage-full": problems.storageFull(),
  "software-adapter": problems.softwareAdapter("SwiftShader"),
  "no-gpu": problems.noGpu(),
  "moments-on-disk": problems.momentsOnDisk(281_000_000),
  "second-tab": problems.secondTab(),
  frozen: problems.frozen(90_000),
  interrupted: problems.interrupted(),
  discarded: problems.discarded(),
  "not-forgotten": problems.notForgotten("blocked"),
  "no-links": problems.noLinks(),
  slept: problems.slept(90_000),
};

const pauses: { readonly [C in PauseCode]: Extract<PauseReason, { code: C }> } = {
  "by-hand": { code: "by-hand" },
  unplugged: { code: "unplugged" },
  "battery-low": { code: "battery-low", level: 0.12, min: 0.2 },
  hidden: { code: "hidden" },
  "in-use": { code: "in-use" },
  "idle-unknown": { code: "idle-unknown" },
  metered: { code: "metered" },
  "network-unknown": { code: "network-unknown" },
  "daily-cap": { code: "daily-cap", bytes: 5.01e9, max: 5e9 },
  "quiet-hours": { code: "quiet-hours", untilMinute: 7 * 60 + 5 },
};

const tasks: Readonly<Record<Task["what"], Task>> = {
  connecting: { what: "connecting", done: 0, total: null },
  measuring: { what: "measuring", done: 3, total: 17 },
  kernels: { what: "kernels", done: 3, total: 17 },
  data: { what: "data", done: 4.2e6, total: 19.2e6 },
  weights: { what: "weights", done: 4.2e6, total: 50e6 },
  checkpoint: { what: "checkpoint", done: 0.5e6, total: 22e6 },
  "catch-up": { what: "catch-up", done: 12, total: 41 },
};

const phases: Readonly<Record<NonNullable<DonorSnapshot["phase"]> | "none", true>> = {
  none: true,
  connecting: true,
  "catch-up": true,
  waiting: true,
  training: true,
  exchange: true,
  folding: true,
  paused: true,
  ended: true,
  refused: true,
};
const phaseStates = (host: "here" | "away"): States =>
  each(`donating, host ${host}`, phases, (_, phase) =>
    withDonor({ phase: phase === "none" ? null : phase, hostConnected: host === "here" }),
  );

/** Whatever the donation is, with all that comes with it. */
const statuses: Readonly<Record<DonorSnapshot["status"], PageSnapshot>> = {
  idle: page(),
  starting: withDonor({ status: "starting", task: null }),
  donating: page({ donor: donating }),
  paused: withDonor({ status: "paused" }),
  stopped: withDonor({ status: "stopped" }),
  ended: page({ donor: { ...donating, status: "ended" }, watcher: { ...watcher, run: endedRun } }),
  blocked: withDonor({ status: "blocked", problem: blocking["device-lost"][0] }),
};

const islandAlone: IslandView = {
  ...{ state: "waiting", isWished: false, why: "gone", ranksMin: 3, waits: null, over: "gone" },
  ...{ rank: null, members: [], part: null, exchange: null },
};
const waitsFor = (because: IslandWait) => ({ missing: because === "too-few" ? 2 : 0, because });
const islandWaiting: Readonly<Record<IslandWait | "asking", IslandView["waits"]>> = {
  asking: null,
  "too-few": waitsFor("too-few"),
  unlinked: waitsFor("unlinked"),
  slow: waitsFor("slow"),
  measuring: waitsFor("measuring"),
  resting: waitsFor("resting"),
  full: waitsFor("full"),
  "too-small": waitsFor("too-small"),
};
const [leader, ...others] = run.peers.map(({ id }) => id);
const half = { kind: "heads", first: 3, count: 2, of: 4, columns: 176, ofColumns: 352 } as const;
const exchange = { perSecond: 84, ms: 12, hidden: 0.61, bytesPerSecond: 1.4e6 };
const islands: Readonly<Record<string, Partial<IslandView>>> = {
  wished: { isWished: true, why: null, over: null },
  forming: { state: "forming", rank: 1, members: [leader, others[0]], part: half },
  leads: { state: "training", rank: 0, members: [leader, ...others], part: half, exchange },
  "part of two": { state: "training", rank: 1, members: [others[0], leader], part: half, exchange },
  "part of three": { state: "training", rank: 1, members: [others[0], leader, others[1]], part: { ...half, count: 0 } },
  "some layers": {
    state: "training",
    rank: 0,
    members: [leader, others[0]],
    part: { kind: "layers", first: 1, count: 3, of: 6 },
  },
  "some rows": { state: "training", rank: 0, members: [leader, others[0]], part: { kind: "rows" } },
};

const checked = { adapter: "passed", memory: "passed", results: "passed", problem: null } as const;
const links: Readonly<Record<DonorSnapshot["link"], true>> = {
  waiting: true,
  working: true,
  direct: true,
  turn: true,
  relayed: true,
  none: true,
  unknown: true,
};
const checks: Readonly<Record<"begun" | "failed", Partial<DonorSnapshot>>> = {
  begun: { check: { ...checked, adapter: "working", memory: "waiting", results: "waiting" }, link: "working" },
  failed: {
    check: { ...checked, memory: "failed", results: "waiting", problem: problems.outOfMemory("gone") },
    link: "direct",
    adapter: fixtures.software,
  },
};

/** Each control set to something else than at the start. */
const settings: { readonly [C in ControlName]: Pick<VolunteerSnapshot["controls"], C> } = {
  duty: { duty: 0.5 },
  onlyPluggedIn: { onlyPluggedIn: true },
  batteryMin: { batteryMin: 0.45 },
  when: { when: "visible" },
  metered: { metered: "use" },
  dailyBytesMax: { dailyBytesMax: null },
  quiet: { quiet: { from: 22 * 60, to: 7 * 60 + 5 } },
  keepAwake: { keepAwake: true },
  relayOnly: { relayOnly: true },
  notify: { notify: true },
};
const awake: Readonly<Record<VolunteerSnapshot["awake"], true>> = {
  off: true,
  on: true,
  "out-of-view": true,
  refused: true,
};
const idleTold: Readonly<Record<VolunteerSnapshot["abilities"]["idle"], true>> = {
  none: true,
  ask: true,
  refused: true,
  told: true,
};
const notifyTold: Readonly<Record<VolunteerSnapshot["abilities"]["notify"], true>> = {
  none: true,
  ask: true,
  refused: true,
  granted: true,
};
const networkTold: Readonly<Record<VolunteerSnapshot["abilities"]["network"], true>> = {
  none: true,
  "save-data": true,
  type: true,
};

const keys: { readonly [K in Exclude<KeyState["kind"], "failed">]: KeyState & { readonly kind: K } } = {
  untouched: { kind: "untouched" },
  working: { kind: "working" },
  exported: {
    kind: "exported",
    volunteer: "a".repeat(64),
    text: "{}",
    link: "https://host.example/#key=e30",
    qr: { side: 5, path: "M2 2h1v1h-1z" },
  },
  imported: { kind: "imported", volunteer: "b".repeat(64) },
};
const keyFaults: Readonly<Record<Extract<KeyState, { kind: "failed" }>["fault"], true>> = {
  "not-a-key": true,
  version: true,
  damaged: true,
  passphrase: true,
  "too-short": true,
  storage: true,
};

const browsers: Readonly<Record<Browser, true>> = { chromium: true, firefox: true, safari: true, other: true };
const machines: Readonly<Record<Machine["state"], Partial<Machine>>> = {
  checking: { state: "checking", adapter: null },
  insecure: { state: "insecure", adapter: null },
  "no-webgpu": { state: "no-webgpu", adapter: null },
  "no-adapter": { state: "no-adapter", adapter: null },
  ready: {},
};
const processors: Readonly<Record<NonNullable<Machine["lacks"]> | "by wish", Partial<Machine>>> = {
  "no-webgpu": { lacks: "no-webgpu" },
  "no-adapter": { lacks: "no-adapter" },
  "by wish": {},
};

const connections: Readonly<Record<PageSnapshot["watcher"]["connection"], true>> = {
  connecting: true,
  live: true,
  retrying: true,
  "unknown-run": true,
};
const runStates: Readonly<Record<RunDetail["state"], Partial<RunDetail>>> = {
  running: {},
  resting: { state: "resting", phase: "waiting", roster: [] },
  paused: { state: "paused", phase: "waiting" },
  ended: endedRun,
};
const runPhases: Readonly<Record<RunDetail["phase"], Partial<RunDetail>>> = {
  waiting: { phase: "waiting", peersAwaited: 2 },
  training: {},
  folding: { phase: "folding" },
  ended: endedRun,
};
const peerStates: Readonly<Record<RunDetail["peers"][number]["state"], true>> = {
  joining: true,
  ready: true,
  training: true,
  offered: true,
  paused: true,
  left: true,
};
const axes: Readonly<Record<ChartAxis, true>> = { rounds: true, tokens: true, time: true };

const [firstRound] = watcher.rounds;
/** What became of a round, as the views of rounds and of anchors tell it. */
const roundStates: Readonly<Record<string, Partial<typeof firstRound>>> = {
  "with overlap": { peers: firstRound.peers.map((row) => ({ ...row, busyUntil: firstRound.sealedAt })) },
  void: { sealedAt: null, voided: "lost" },
  open: { committedAt: null, sealedAt: null, anchorHash: null, peers: [] },
};

const before: States = {
  ...each("machine", machines, withMachine),
  ...each("no WebGPU in", browsers, (_, browser) => withMachine({ state: "no-webgpu", adapter: null, browser })),
  ...each("no adapter in", browsers, (_, browser) => withMachine({ state: "no-adapter", adapter: null, browser })),
  ...each("processor", processors, (lack) =>
    aside({ machine: { ...machine, adapter: fixtures.processor, ...lack }, memory: null }),
  ),
  "software adapter": withMachine({ adapter: fixtures.software }),
  "memory of one size": aside({ memory: { mostBytes: 5e6, leastBytes: 5e6, ranks: 1, problem: null } }),
  "memory for a part": aside({ memory: { mostBytes: 5e9, leastBytes: 5e9, ranks: 3, problem: null } }),
  "memory too small": aside({
    memory: {
      mostBytes: 5e9,
      leastBytes: 5e9,
      ranks: 1,
      problem: problems.modelTooLarge("gradient needs 494 MiB in one piece"),
    },
  }),
  "memory unknown": aside({ memory: null }),
  "what is kept is not yet read": aside({ volunteer: null }),
  forgotten: aside({ forgotten: true }),
  interrupted: aside({ earlier: "interrupted" }),
  "loaded anew while paused": aside({
    donor: { ...idleDonor, status: "paused", pausedBecause: [{ code: "by-hand" }] },
    earlier: "paused",
  }),
  discarded: { ...withDonor({}), earlier: "discarded" },
  ...each("check", checks, (check) => aside({ donor: { ...idleDonor, ...check } })),
  ...each("check, link", links, (_, link) => aside({ donor: { ...idleDonor, check: checked, link } })),
};

const ofTheVolunteer: States = {
  ...each("set", settings, (set) => withVolunteer({ controls: { ...defaultControls, ...set } })),
  "set: all": aside({ volunteer: strict }),
  ...each("awake", awake, (_, state) =>
    withVolunteer({ controls: { ...defaultControls, keepAwake: true }, awake: state }),
  ),
  ...each("idleness", idleTold, (_, idle) => withVolunteer({ abilities: { ...volunteer.abilities, idle } })),
  ...each("notifications", notifyTold, (_, notify) =>
    withVolunteer({ controls: { ...defaultControls, notify: true }, abilities: { ...volunteer.abilities, notify } }),
  ),
  ...each("network", networkTold, (_, network) => withVolunteer({ abilities: { ...volunteer.abilities, network } })),
  "a browser that tells nothing": aside({ volunteer: silent }),
  "a phone on mobile data": aside({ volunteer: phone }),
  "a phone that tells nothing": aside({ volunteer: { ...phone, observed: { ...phone.observed, metered: null } } }),
  "some settings unusable": withVolunteer({ unusable: ["duty", "quiet"] }),
  "all settings unusable": withVolunteer({ unusable: ["version"] }),
  ...each("key", keys, (key) => withVolunteer({ key, storedBytes: 23.4e6 })),
  ...each("key failed", keyFaults, (_, fault) => withVolunteer({ key: { kind: "failed", fault } })),
  "key offered by the address": withVolunteer({ offeredKey: "{}" }),
};

const ofTheDonation: States = {
  ...each("donation", statuses, (state) => state),
  ...each("starting", tasks, (task) => withDonor({ status: "starting", task })),
  ...each("starting, nobody knows how long", tasks, (task) =>
    withDonor({ status: "starting", task: { ...task, total: null } }),
  ),
  ...phaseStates("here"),
  ...phaseStates("away"),
  ...each("paused", pauses, (reason) => withDonor({ status: "paused", pausedBecause: [reason] })),
  "paused by every limit": withDonor({ status: "paused", pausedBecause: Object.values(pauses) }),
  ...each("notice", noticed, (notice) => withDonor({ notices: [notice] })),
  "every notice": withDonor({ notices: Object.values(noticed) }),
  ...Object.fromEntries(
    Object.entries(blocking).flatMap(([code, list]) =>
      (list as readonly Problem[]).map((problem, i) => [
        `blocked: ${code}${i > 0 ? ` (${i + 1})` : ""}`,
        withDonor({ status: "blocked", problem }),
      ]),
    ),
  ),
  "donating with less": {
    ...withDonor({ windows: 4, desyncs: 2, secondTab: true, bytesToday: 1.2e9 }),
    volunteer: strict,
  },
  ...each("island waits", islandWaiting, (waits) =>
    withDonor({ status: "starting", phase: null, island: { ...islandAlone, waits } }),
  ),
  ...each("island", islands, (island) => withDonor({ island: { ...islandAlone, ...island } })),
  "donating a processor": withDonor({ adapter: fixtures.processor }),
};

const withTry = (change: Partial<TrySnapshot>): PageSnapshot =>
  aside({ place: "watch", tried: { ...tried, ...change } });
const triedStates: Readonly<Record<SideState, Partial<TrySide>>> = {
  fetching: { bytes: 2_100_000, text: "", tokens: 0, tokensPerSecond: null },
  starting: { text: "", tokens: 0, tokensPerSecond: null },
  reading: { text: "", tokens: 0, tokensPerSecond: null },
  writing: { tokens: 1, tokensPerSecond: null },
  done: {},
  stopped: {},
  failed: { problem: { fault: "device-lost", message: "gone" } },
};
const tryFaults: Readonly<Record<TryFault, true>> = {
  none: true,
  unreachable: true,
  "unknown-run": true,
  "not-kept": true,
  damaged: true,
  "device-lost": true,
  "out-of-memory": true,
  "too-large": true,
  diverged: true,
  failed: true,
};
const ofTheTrial: States = {
  ...each("try", triedStates, (change, state) =>
    withTry({ sides: [{ ...triedSide, state, ...change }], busy: !["done", "stopped", "failed"].includes(state) }),
  ),
  ...each("try, not possible", tryFaults, (_, fault) => withTry({ problem: { fault, message: "gone" } })),
  "try: the host is asked": withTry({ checkpoints: null, newest: null }),
  "try: no checkpoint yet": withTry({ checkpoints: [], newest: null }),
  "try: samples over time": withTry({ samples: triedSamples }),
  "try: samples, none yet": withTry({ samples: { ...triedSamples, samples: [] } }),
  "try: two side by side, on a GPU": withTry({
    sides: [triedSide, { ...triedSide, round: 10, text: "⟦A⟧".repeat(300) }],
    adapter: machine.adapter,
    here: [40, 10],
  }),
  "try: on the processor, while donating": {
    ...withTry({ sides: [triedSide], adapter: null, insteadOfGpu: "⟦parameters needs 494 MiB in one piece⟧" }),
    donor: donating,
  },
};

const ofTheRun: States = {
  ...each("host", connections, (_, connection) => page({ watcher: { ...watcher, connection } })),
  ...each("host, nothing heard yet", connections, (_, connection) =>
    page({ runName: "⟦nope⟧", watcher: { ...emptyWatcher, connection } }),
  ),
  ...each("run", runStates, withRun),
  ...each("run's phase", runPhases, withRun),
  ...each("all peers", peerStates, (_, state) => withRun({ peers: run.peers.map((peer) => ({ ...peer, state })) })),
  ...each("charts against", axes, (_, axis) => page({ axis })),
  ...each("a round", roundStates, (round) => page({ watcher: { ...watcher, rounds: [{ ...firstRound, ...round }] } })),
  watching: page({ place: "watch" }),
  "watching while donating": page({ place: "watch", donor: donating }),
  "watching, empty": { ...emptyPage, place: "watch" },
  empty: emptyPage,
  "ended, nobody": page({ watcher: { ...watcher, run: { ...emptyRun, state: "ended", phase: "ended" } } }),
  "a moment": page({ watcher: { ...watcher, moment, momentAsked: 20, roundsPerSecond: 10 } }),
  "a moment, not yet there": page({ watcher: { ...watcher, momentAsked: 20 } }),
  "many peers": page({
    watcher: {
      ...watcher,
      run: { ...run, peersTotal: 1_000 },
      overview: { ...fixtures.overview, adaptersTotal: 40 },
    },
  }),
  kiosk: page({ kiosk: true }),
  "kiosk, connecting": page({ kiosk: true, watcher: emptyWatcher }),
  "kiosk, empty": page({ kiosk: true, watcher: emptyPage.watcher }),
  "kiosk, ended": page({ kiosk: true, watcher: { ...watcher, run: endedRun } }),
};

export const everyState: States = { ...before, ...ofTheVolunteer, ...ofTheDonation, ...ofTheTrial, ...ofTheRun };
