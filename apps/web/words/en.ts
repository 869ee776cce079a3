// Every text of the page, in English. Plain text, or functions of plain data; {braces} mark where an element stands (rich.tsx).
// Other languages have the same shape (Words): a text that one lacks does not compile.
import type { ChurnRow, PeerRow, RunDetail } from "#wire";
import type { ReasonCode } from "#wire/reasons";
import { checkTexts } from "./check-en.ts";
import { controlTexts, partTexts, pauseTexts } from "./controls-en.ts";
import { english as f, nameOf } from "./format.ts";
import { identityTexts } from "./identity-en.ts";
import { islandTexts } from "./island-en.ts";
import { plurals } from "./plural.ts";
import { problemTexts, problemTitles } from "./problems-en.ts";

const n = plurals("en");
const of = (done: string, total: string | null): string => (total === null ? done : `${done} of ${total}`);

export const en = {
  /** As `lang` says it. */
  language: "en" as string,
  format: f,
  nameOf: (peer: string, name: string): string => nameOf(peer, name, "peer"),

  problemTitles,
  problems: problemTexts,
  problem: {
    remedy: "What you can do:",
    report: "Report",
    copyReport: "Copy the report",
    copied: "Copied.",
    notCopied: "The browser did not allow it: select the text and copy it.",
    notices: "Notices",
  },

  frame: {
    slogan: "Train a transformer with borrowed browsers",
    sloganMore: "Volunteers open a page, give their GPU for a while, and one model learns from all.",
    skip: "Skip to the content",
    pages: "Pages",
    donate: "Donate",
    watch: "Watch",
    language: "Language",
    watching: (run: string) => `${run}, watching`,
    title: (what: string, where: string) => `${what} – ${where}`,
    footer:
      "Gossamer trains one transformer in borrowed browsers. The page talks to its host and to the other peers, and to nobody else.",
    runAndBuild: "Run {run}, build {build}",
    unknownRun: (run: string) => `The host knows no run “${run}”.`,
    unknownRunMore: "The address may be mistyped, or the host keeps it no longer.",
    openOffered: "Open the run that this host offers.",
    hostGone: "The host does not answer.",
    hostGoneMore: "This page tries again by itself.",
    hostGoneStale:
      "This page tries again by itself; what you see is the last that it said. Peers that are linked go on training for a while.",
    asking: "Asking the host about its run…",
    stillDonating: "This tab goes on donating; “Donate” above leads back to its buttons.",
  },

  /** Notifications: a title, and what happened. */
  alerts: {
    title: "This machine stopped training",
    blocked: "It cannot go on by itself.",
    ended: "The run has reached its goal. Thank you!",
    frozen: "The browser froze this tab. Training goes on now.",
    "host-away": "The host has not answered for five minutes. It goes on by itself when the host is back.",
  },

  offline: {
    title: "No host answers",
    more: "Nothing to press: it goes on here as soon as the host answers.",
    lastSeen: "Last seen",
    hadThen: "Then it had",
    peers: (count: number) => `${f.count(count)} ${n(count, "peer", "peers")} here`,
    loss: (nats: string) => `a training loss of ${nats}`,
    kept: "Kept here",
    keptText:
      "Your limits, your name and your key are kept in this browser. Credit is in the run’s log, which the host has.",
    waits: "Waits",
    waitsText: "Donating, and watching the run live.",
    newer: "The host has a newer page.",
    newerDonating: "This one goes on donating. Loading the new one stops that until you press the button again.",
    load: "Load it",
  },

  about: {
    operator: "Operated by",
    model: "Model",
    modelText: (parameters: number, layers: number, width: number, context: number, licence: string) =>
      `${f.sizeInWords(parameters)} parameters: a Llama-style transformer of ${layers} ${n(layers, "layer", "layers")}, width ${width}, context ${f.count(context)}. Licence: ${licence}`,
    data: "Learns from",
    dataText: (source: string, licence: string) => `${source}. Licence: ${licence}`,
    base: "Starts from",
    baseText: (source: string, licence: string, adapters: { rank: number; layers: string } | null) =>
      `${source}. Licence: ${licence}${adapters ? `. It stays as it is: adapters of rank ${adapters.rank} are trained beside its layers ${adapters.layers}` : ""}`,
    here: "Here now",
    elsewhere: "Also here",
    elsewhereText: (state: RunDetail["state"], peers: number): string =>
      `${en.states.run[state]}, ${f.count(peers)} ${n(peers, "peer", "peers")}`,
    hereText: (peers: number, state: RunDetail["state"]): string =>
      `${peers === 0 ? "Nobody" : `${f.count(peers)} ${n(peers, "peer", "peers")}`}. ${en.states.run[state]}`,
    soFar: "So far",
    soFarText: (rounds: number, tokens: number) =>
      `${f.count(rounds)} ${n(rounds, "round", "rounds")}, ${f.sizeInWords(tokens)} tokens`,
    endsAfter: (goals: readonly string[]) => `It ends after ${goals.join(" or ")}`,
    goalTokens: (tokens: number) => `${f.sizeInWords(tokens)} tokens`,
    goalRounds: (rounds: number) => `${f.count(rounds)} ${n(rounds, "round", "rounds")}`,
  },

  states: {
    run: {
      running: "The run is under way",
      resting: "The run rests until somebody donates",
      paused: "The host has paused the run",
      ended: "The run has ended",
    } satisfies Record<RunDetail["state"], string>,
    phase: {
      waiting: "Waiting for a peer",
      training: "Training",
      folding: "Folding updates",
      ended: "Ended",
    } satisfies Record<RunDetail["phase"], string>,
    pausedByHost: "Paused by the host",
    peersAwaited: (count: number) => `Begins when ${f.count(count)} more ${n(count, "peer is", "peers are")} ready`,
    peer: {
      joining: "joining",
      ready: "ready",
      training: "training",
      offered: "offered",
      paused: "paused",
      left: "left",
    } satisfies Record<PeerRow["state"], string>,
    churn: {
      joined: "joined",
      left: "left",
      crashed: "crashed",
      paused: "paused",
      resumed: "resumed",
      refused: "was refused",
    } satisfies Record<ChurnRow["kind"], string>,
  },

  task: {
    connecting: "Connecting to the host",
    measuring: "Finding out what trains faster here",
    kernels: "Compiling kernels",
    kernelsDone: (done: number, total: number) => `Compiling kernels: ${done} of ${total}`,
    data: "Fetching training text",
    dataDone: (done: number, total: number | null) =>
      `Fetching training text: ${of(f.bytes(done), total === null ? null : f.bytes(total))}`,
    weights: "Fetching text and the weights to start from",
    weightsDone: (done: number, total: number | null) =>
      `Fetching text and the weights to start from: ${of(f.bytes(done), total === null ? null : f.bytes(total))}`,
    checkpoint: "Fetching the model",
    checkpointDone: (done: number, total: number | null) =>
      `Fetching the model: ${of(f.bytes(done), total === null ? null : f.bytes(total))}`,
    catchUp: "Catching up",
    catchUpDone: (done: number, total: number | null) =>
      total === null
        ? `Catching up: ${f.count(done)} rounds so far`
        : `Catching up: ${f.count(done)} of ${f.count(total)} rounds`,
  },

  donor: {
    connecting: "Connecting to the host",
    idle: "Not donating",
    starting: "Starting",
    donating: "Donating",
    donatingAlone: "Donating; the host does not answer",
    paused: "Paused",
    stopped: "Stopped",
    ended: "The run has ended",
    blocked: "Stopped by a problem",
    catchingUp: "Catching up with the run",
    keptHere: "trained, and kept here until the host is back",
    waitingForHost: "Waiting for the host",
    waitingForRound: (round: number) => `Waiting for round ${f.count(round)} to open`,
    inRound: (round: number, what: string) => `Round ${f.count(round)}: ${what}`,
    training: (step: number, steps: number) => `training, step ${f.count(step)} of ${f.count(steps)}`,
    exchanging: "exchanging updates",
    folding: "folding updates into the model",
    refused: "The host did not accept this browser",
  },

  panel: {
    meaning: "What donating means",
    unable: "Donating from here",
    yours: { gpu: "Your GPU", processor: "Your processor" },
    looking: "Looking for a GPU…",
    thisMachine: "This machine",
    noGpu: "no GPU",
    softwareAdapter: "software adapter",
    processor: (description: string) => `Processor (${description})`,
    unnamedAdapter: "unnamed adapter",
    yourPart: "Your part",
    ownLoss: "Your loss",
    ownSpeed: "Your tokens/s",
    stepTime: "Time per step",
    shareOfStep: "Share of a step",
    shareOfStepText: (windows: number, all: number) => `${windows} of ${all}`,
    shareOfStepMore: "sequences per step, so that this device keeps up",
    contribution: "Your contribution",
    contributionMore: (share: string) => `tokens, ${share}`,
    rounds: "Rounds that counted",
    traffic: "To and from peers",
    desyncs: "Desyncs repaired",
    donate: { gpu: "Donate this GPU", processor: "Donate this processor" },
    again: "Try again",
    pause: "Pause",
    resume: "Resume",
    stop: "Stop",
    pausedText: "Your share of the next rounds goes to the others. What you gave so far counts.",
    stoppedText: "Thank you. What you gave so far counts, and you can start again at any time.",
    goalReached: "Its goal is reached.",
    endedText: "Thank you for your part in it.",
    name: "Your name, if you like",
    duty: "Time for training",
    dutyOfTime: (share: string) => `${share} of the time`,
    dutyRests: { gpu: "The GPU rests after each step.", processor: "The processor rests after each step." },
    dutyLess: "Less leaves room for what else you do.",
    processorInstead: "Donate the processor instead",
    processorInsteadMore: "{link}: slower, and it needs no GPU.",
    watchInstead: "Watch the run instead",
    watchInsteadMore: "{link}: that needs no GPU.",
    stepsOfRound: "Steps of this round",
  },

  controls: controlTexts,
  pause: pauseTexts,
  part: partTexts,
  check: checkTexts,
  island: islandTexts,
  identity: identityTexts,

  terms: {
    power: "GPU and battery",
    powerText:
      "This tab computes until you pause or close it: a warm machine, fan noise, more power. Plug a laptop in.",
    memoryText: (most: string, least: string | null) =>
      `It takes ${most} of the GPU’s memory${least === null ? "" : `, or ${least} where that is not free, more slowly`}.`,
    memoryShared: (bytes: string, ranks: number) =>
      `The model does not fit this GPU alone: ${f.count(ranks)} machines share it, each with ${bytes} of its GPU’s memory, and training begins when the others are here. They send each other megabytes a second then: it takes machines that are near each other.`,
    network: "Network",
    company: (others: number): string =>
      others === 0
        ? "while you are alone"
        : others === 1
          ? "with the one other peer here"
          : `with the ${others} other peers here`,
    amounts: (sent: string, received: string, company: string, pace: string, more: string) =>
      `About ${sent} sent and ${received} received per hour ${company}, ${pace}. Every further peer adds ${more} each way.`,
    paceMeasured: (round: string) => `at ${round} a round, as of late`,
    paceAssumed: "if a round takes a minute (none has been measured)",
    once: (bytes: string) => `Once, up to ${bytes} of text and model.`,
    privacy: "Privacy",
    serves: "What is sent includes updates of others that your browser passes on: each peer serves others.",
    privacyText:
      "Your IP address is visible to the other peers and to the host, and so are your adapter’s name and the name that you choose. Nothing else on this machine is read.",
    privacyHidden:
      "Your IP address is visible to the host alone, as you set it under “Limits”. Others see your adapter’s name and the name that you choose. Nothing else on this machine is read.",
    privacyHide: "Under “Limits” you can hide it from the other peers.",
    storage: "Storage",
    storageText:
      "The browser keeps the text and a random key, which your credit belongs to. Clearing this site’s data deletes both.",
  },

  now: {
    title: "Right now",
    webCaption: "A drop is a peer: it runs to the middle as its steps go by.",
    webEmpty: "The web is empty: nobody donates",
    webLabel: (peers: number, tally: string) => `${f.count(peers)} peers: ${tally}`,
    youInBrackets: "(you)",
    round: (round: number) => `Round ${f.count(round)}`,
    stale: "as last heard of",
    meanStep: "Mean step of the roster",
    progress: (step: number, steps: number, offered: number, roster: number) =>
      `step ${f.count(step)} of ${f.count(steps)}; ${f.count(offered)} of ${f.count(roster)} offered`,
    resting: "Nobody trains now. The run rests, and goes on where it was when somebody donates.",
    figures: "The run’s figures",
    trainLoss: "Training loss",
    evalLoss: "Held-out loss",
    evalMeasures: (bitsPerByte: string, perplexity: string) => `${bitsPerByte} bits a byte, perplexity ${perplexity}`,
    speed: "Tokens/s, all peers",
    tokens: "Tokens committed",
    peers: "Peers here",
  },

  charts: {
    title: "Learning",
    against: "Against",
    notDrawn: "The drawing could not be loaded. The values are in the table below.",
    axes: { rounds: "rounds", tokens: "tokens", time: "time" },
    axisLabels: { rounds: "Round", tokens: "Tokens", time: "Time" },
    loss: "Loss of the shared model",
    natsPerToken: "nats per token",
    lossEmpty: "No round is committed yet. The first point comes with the first commit.",
    training: "Training",
    heldOut: "Held-out text",
    speed: "Speed of the swarm",
    tokensPerSecond: "tokens/s",
    speedEmpty: "No speed is measured yet.",
    allPeers: "All peers",
    ownLoss: "Your training loss",
    ownSteps: "Step since you started",
    ownEmpty: "The first point comes with your first step.",
    thisDevice: "This device",
    table: "Newest values as a table",
    peers: "Peers over time",
    perRound: "per round",
    peersEmpty: "No round has been opened yet.",
    roster: "Asked to take part",
    contributors: "Counted",
    roundTime: "Time of a round",
    fromOpenToSeal: "from its opening to its seal",
    updateBytes: "Updates exchanged",
    allContributors: "All that counted",
    csv: (label: string) => `${label} (CSV)`,
    json: (label: string) => `${label} (JSON)`,
  },

  sections: {
    label: "Parts of this page",
    now: "Now",
    learning: "Learning",
    try: "Try the model",
    rounds: "Rounds",
    peers: "Contribution",
    mesh: "Mesh",
    bandwidth: "Bandwidth",
    anchors: "Anchors",
    machines: "Machines",
  },

  tryModel: {
    title: "Try the model",
    intro: "Write something, and the shared model goes on with it, in this tab. What you write stays here.",
    loading: "One moment…",
    notLoaded: "This part of the page did not load. Check the connection, and reload the page.",
  },

  scrub: {
    label: "Round that is shown",
    value: (round: number, last: number) => `round ${f.count(round)} of ${f.count(last)}`,
    live: "Live",
    round: (round: number) => `Round ${f.count(round)}`,
    loading: "…",
    toLive: "Back to live",
    replay: "Replay",
    still: "off",
    speed: (rounds: number) => `${f.count(rounds)} ${n(rounds, "round", "rounds")}/s`,
  },

  past: {
    title: "As it was",
    anchor: "Anchor",
    figures: "The run’s figures then",
    roster: "Peers of that round",
    credited: "Peers with credit",
  },

  rounds: {
    title: "Rounds",
    empty: "No round has been opened yet. Here is who trains, offers and waits as soon as one is.",
    label: (round: number) => `Round ${f.count(round)}, peer by peer`,
    parts: { trainMs: "trained", hiddenMs: "trained on", waitMs: "waited", foldMs: "fetched and folded" },
    notNamed: "not counted",
    desync: "desync",
    open: (round: number, roster: number) =>
      `Round ${f.count(round)} is open for ${f.count(roster)} ${n(roster, "peer", "peers")}.`,
    took: (round: number, time: string) => `Round ${f.count(round)} took ${time}.`,
    voided: (round: number) => `Round ${f.count(round)} was void: an update of it is lost.`,
    exchanged: (time: string) => `From commit to seal it exchanged and folded for ${time}.`,
    waitedFor: (name: string, time: string) => `Everybody waited ${time} for ${name}.`,
    hidden: (share: string) => `${share} of the exchange was hidden: peers trained on meanwhile.`,
    fromLog: "It is read from the log, which has commits and seals; when each peer offered is not kept that long.",
    stripLabel: (rounds: number, longest: string) =>
      `Time of the last ${f.count(rounds)} rounds; the longest took ${longest}`,
    stripCaption: (rounds: number) => `The last ${f.count(rounds)} rounds: training below, exchange and fold on top.`,
    slow: {
      title: "What slows the rounds",
      causes: {
        "joins-late": "is ready late",
        "trains-slowly": "trains slowly",
        "uploads-slowly": "uploads slowly",
        "fetches-slowly": "fetches or folds slowly",
        "link-stalls": "waits for its link with",
      },
      costs: (time: string, rounds: number, of: number) =>
        `${time} a round, in ${f.count(rounds)} of the last ${f.count(of)}.`,
    },
  },

  mesh: {
    title: "Mesh",
    empty: "No links are open. The picture comes with the first two peers.",
    label: (peers: number, links: number, kinds: string) =>
      `Mesh of ${f.count(peers)} peers with ${f.count(links)} ${n(links, "link", "links")}: ${kinds}`,
    kind: (links: number, kind: string) => `${f.count(links)} ${kind}`,
    roundTrip: (time: string) => `median round trip ${time}`,
    caption: "A wider line moves more.",
    island: (size: number) => `An island of ${f.count(size)}, one model among them: {leader} leads, with{others}.`,
    some: (shown: number, all: number) =>
      `A wider line moves more. ${f.count(shown)} of ${f.count(all)} peers are drawn.`,
  },

  anchors: {
    title: "Anchors",
    note: "After each round all peers must hold the same parameters, bit for bit. A seal names their hash.",
    empty: "No round is sealed yet.",
    label: "The newest rounds and their anchors",
    round: "Round",
    anchor: "Anchor",
    verdict: "Outcome",
    folded: "Folded the same",
    time: "Sealed",
    verdicts: {
      sealed: "✓ sealed",
      desync: "≠ sealed, with a desync",
      refused: "! sealed, with an update refused",
      voided: "× void",
      open: "… under way",
    },
    by: (names: string) => `by ${names}`,
    attested: (attesters: number, roster: number) => `${f.count(attesters)} of ${f.count(roster)}`,
  },

  machines: {
    title: "Machines",
    adapters: "Adapters in the swarm",
    adapter: "Adapter",
    peers: "Peers",
    training: "Training",
    speed: "Tokens/s",
    nobody: "Nobody is here.",
    more: (others: number) => `and ${f.count(others)} more kinds.`,
    host: "The host",
    unknown: "The host has not told yet.",
    since: "Running since",
    delay: "Timers late by",
    delayGood: "it keeps up",
    delayLate: "it is overloaded",
    connections: "Connections",
    watchers: "Watching",
    relay: "Relayed links",
    served: "Blobs served",
    memory: "Memory",
    disk: "Disk left",
    log: "Log",
    entries: "entries",
  },

  churn: {
    title: "Comings and goings",
    empty: "Nobody has come or gone since the host started.",
    label: "Joins, leaves and crashes, newest first",
    reasons: {
      "page-closed": "the page was closed or reloaded",
      "connection-closed": "the connection broke off",
      "said-bye": "said goodbye",
      "too-large": "sent too large a message",
      paused: "paused by the volunteer",
      stopped: "stopped by the volunteer",
    } satisfies Record<ReasonCode, string>,
  },

  peers: {
    title: "Contribution",
    empty: "Nobody has given anything yet. The first peer to donate heads this list.",
    label: "Peers, by committed tokens",
    nameless: "peer",
    you: "you",
    software: "software",
    leadsIsland: "leads an island",
    ofIsland: "with {leader}",
    peer: "Peer",
    state: "State",
    tokens: "Committed tokens",
    share: "Share",
    rounds: "Rounds",
    loss: "Loss",
    speed: "Tokens/s",
    links: "Links now",
    adapter: "Adapter",
    some: (shown: number, all: number) => `${f.count(shown)} of ${f.count(all)} peers are shown.`,
  },

  bandwidth: {
    title: "Bandwidth",
    totals: "Bytes in all, by the way they took",
    kinds: { direct: "direct", turn: "through TURN", relayed: "through the host" },
    ways: {
      direct: ["Direct", "peer to peer"],
      turn: ["TURN", "relayed, encrypted end to end"],
      relayed: ["Relayed", "through the host, for want of a link"],
      toHost: ["To the host", "updates to keep, offers, signals"],
      fromHost: ["From the host", "text, model, log"],
      updatesByHost: ["Updates by the host", "fetched from it instead of from peers"],
    },
    linkedWith: "Linked with",
    way: "Way",
    sending: "Sending",
    receiving: "Receiving",
    sent: "Sent",
    received: "Received",
    roundTrip: "Round trip",
    milliseconds: (ms: number) => `${f.count(ms)} ms`,
    own: "Your links",
    others: "Links between others",
    all: "Links",
    ofRun: "Links of the run",
    empty: "No links are open. Peers link up as soon as two of them donate.",
    ddp: (moved: string, ddp: string, factor: string) =>
      `${moved} moved since the host started. Exchanging gradients at every step (DDP) would have moved ${ddp} for the same rounds: ${factor} times as much.`,
    some: (shown: number, all: number) => `The first ${f.count(shown)} of ${f.count(all)} links are shown.`,
  },

  ended: {
    title: "This run has ended",
    goals: {
      rounds: (count: number) => `Its goal is reached: ${f.count(count)} ${n(count, "round", "rounds")}.`,
      tokens: (count: number) => `Its goal is reached: ${f.sizeInWords(count)} tokens.`,
    },
    result: "Result",
    rounds: "Rounds",
    tokens: "Tokens",
    share: "Your share",
    madeBy: "Made by",
    nobody: "No contribution was committed.",
    more: (others: number) => `and ${f.count(others)} more, in the list below.`,
    takeHome: "Take it home",
    model: "The model",
    modelMore: "{link}, as a file for llama.cpp or transformers",
    checkpoint: "Newest checkpoint",
    checkpointMore: (licence: string) =>
      `{link}: what its files are and their hashes (JSON). Anchor {anchor}, licence ${licence}`,
    log: "The run’s log",
    logMore: "{link}: every round, signed, for a replay (JSON)",
  },
};

export type Words = typeof en;
