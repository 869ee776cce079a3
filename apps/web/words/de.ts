// Alle Texte der Seite auf Deutsch, in der Gestalt von en.ts.
import { check } from "./check-de.ts";
import { controls, part, pause } from "./controls-de.ts";
import type { Words } from "./en.ts";
import { formats, nameOf } from "./format.ts";
import { identity } from "./identity-de.ts";
import { island } from "./island-de.ts";
import { plurals } from "./plural.ts";
import { texts, titles } from "./problems-de.ts";

const f = formats("de");
const n = plurals("de");
const of = (done: string, total: string | null): string => (total === null ? done : `${done} von ${total}`);

export const de: Words = {
  language: "de",
  format: f,
  nameOf: (peer, name) => nameOf(peer, name, "Peer"),

  problemTitles: titles,
  problems: texts,
  problem: {
    remedy: "Was du tun kannst:",
    report: "Bericht",
    copyReport: "Bericht kopieren",
    copied: "Kopiert.",
    notCopied: "Der Browser hat es nicht erlaubt: Markiere den Text und kopiere ihn.",
    notices: "Hinweise",
  },

  frame: {
    slogan: "Ein Transformer, trainiert in geliehenen Browsern",
    sloganMore: "Freiwillige öffnen eine Seite, leihen eine Weile ihre GPU, und ein Modell lernt von allen.",
    skip: "Zum Inhalt springen",
    pages: "Seiten",
    donate: "Spenden",
    watch: "Zusehen",
    language: "Sprache",
    watching: (run) => `Zusehen: ${run}`,
    title: (what, where) => `${what} – ${where}`,
    footer:
      "Gossamer trainiert einen Transformer in geliehenen Browsern. Die Seite spricht mit ihrem Host und den anderen Peers, und mit niemandem sonst.",
    runAndBuild: "Lauf {run}, Version {build}",
    unknownRun: (run) => `Der Host kennt keinen Lauf „${run}“.`,
    unknownRunMore: "Vielleicht ist die Adresse vertippt, oder der Host bewahrt ihn nicht mehr auf.",
    openOffered: "Den Lauf öffnen, den dieser Host anbietet.",
    hostGone: "Der Host antwortet nicht.",
    hostGoneMore: "Diese Seite versucht es von selbst wieder.",
    hostGoneStale:
      "Diese Seite versucht es von selbst wieder; was du siehst, ist das Letzte, was er gesagt hat. Verbundene Peers trainieren eine Weile weiter.",
    asking: "Der Host wird nach seinem Lauf gefragt…",
    stillDonating: "Dieser Tab spendet weiter; „Spenden“ oben führt zu seinen Knöpfen zurück.",
  },

  alerts: {
    title: "Dieses Gerät trainiert nicht mehr",
    blocked: "Von selbst geht es nicht weiter.",
    ended: "Der Lauf ist am Ziel. Danke!",
    frozen: "Der Browser hat diesen Tab eingefroren. Jetzt geht das Training weiter.",
    "host-away": "Der Host antwortet seit fünf Minuten nicht. Es geht von selbst weiter, wenn er wieder da ist.",
  },

  offline: {
    title: "Kein Host antwortet",
    more: "Hier geht es weiter, sobald der Host antwortet; dafür ist nichts zu drücken.",
    lastSeen: "Zuletzt gesehen",
    hadThen: "Da waren es",
    peers: (count) => `${f.count(count)} ${n(count, "Peer", "Peers")} hier`,
    loss: (nats) => `ein Trainingsverlust von ${nats}`,
    kept: "Bewahrt",
    keptText:
      "Deine Grenzen, dein Name und dein Schlüssel liegen in diesem Browser. Was dir angerechnet wird, steht im Log des Laufs, das der Host hat.",
    waits: "Wartet",
    waitsText: "Spenden, und dem Lauf live zusehen.",
    newer: "Der Host hat eine neuere Seite.",
    newerDonating: "Diese hier spendet weiter. Wer die neue lädt, muss danach wieder auf den Knopf drücken.",
    load: "Laden",
  },

  about: {
    operator: "Betrieben von",
    model: "Modell",
    modelText: (parameters, layers, width, context, licence) =>
      `${f.sizeInWords(parameters)} Parameter: ein Transformer nach Art von Llama mit ${layers} ${n(layers, "Schicht", "Schichten")}, Breite ${width}, Kontext ${f.count(context)}. Lizenz: ${licence}`,
    data: "Lernt aus",
    dataText: (source, licence) => `${source}. Lizenz: ${licence}`,
    base: "Beginnt mit",
    baseText: (source, licence, adapters) =>
      `${source}. Lizenz: ${licence}${adapters ? `. Das bleibt, wie es ist: Trainiert werden Adapter vom Rang ${adapters.rank} neben den Schichten ${adapters.layers}` : ""}`,
    here: "Jetzt hier",
    hereText: (peers, state) =>
      `${peers === 0 ? "Niemand" : `${f.count(peers)} ${n(peers, "Peer", "Peers")}`}. ${de.states.run[state]}`,
    elsewhere: "Auch hier",
    elsewhereText: (state, peers) => `${de.states.run[state]}, ${f.count(peers)} ${n(peers, "Peer", "Peers")}`,
    soFar: "Bisher",
    soFarText: (rounds, tokens) => `${f.count(rounds)} ${n(rounds, "Runde", "Runden")}, ${f.sizeInWords(tokens)} Token`,
    endsAfter: (goals) => `Er endet nach ${goals.join(" oder ")}`,
    goalTokens: (tokens) => `${f.sizeInWords(tokens)} Token`,
    goalRounds: (rounds) => `${f.count(rounds)} ${n(rounds, "Runde", "Runden")}`,
  },

  states: {
    run: {
      running: "Der Lauf ist im Gange",
      resting: "Der Lauf ruht, bis jemand spendet",
      paused: "Der Host hat den Lauf angehalten",
      ended: "Der Lauf ist zu Ende",
    },
    phase: {
      waiting: "Wartet auf einen Peer",
      training: "Training",
      folding: "Updates werden eingerechnet",
      ended: "Zu Ende",
    },
    pausedByHost: "Vom Host angehalten",
    peersAwaited: (count) => `Beginnt, wenn noch ${f.count(count)} ${n(count, "Peer bereit ist", "Peers bereit sind")}`,
    peer: {
      joining: "kommt dazu",
      ready: "bereit",
      training: "trainiert",
      offered: "hat geliefert",
      paused: "macht Pause",
      left: "gegangen",
    },
    churn: {
      joined: "kam dazu",
      left: "ging",
      crashed: "fiel aus",
      paused: "machte Pause",
      resumed: "machte weiter",
      refused: "wurde abgewiesen",
    },
  },

  task: {
    connecting: "Verbindung zum Host",
    measuring: "Es wird gemessen, was hier schneller trainiert",
    kernels: "Kernel werden übersetzt",
    kernelsDone: (done, total) => `Kernel werden übersetzt: ${done} von ${total}`,
    data: "Trainingstext wird geholt",
    dataDone: (done, total) =>
      `Trainingstext wird geholt: ${of(f.bytes(done), total === null ? null : f.bytes(total))}`,
    weights: "Text und Ausgangsgewichte werden geholt",
    weightsDone: (done, total) =>
      `Text und Ausgangsgewichte werden geholt: ${of(f.bytes(done), total === null ? null : f.bytes(total))}`,
    checkpoint: "Modell wird geholt",
    checkpointDone: (done, total) => `Modell wird geholt: ${of(f.bytes(done), total === null ? null : f.bytes(total))}`,
    catchUp: "Rückstand wird aufgeholt",
    catchUpDone: (done, total) =>
      total === null
        ? `Rückstand wird aufgeholt: ${f.count(done)} Runden bisher`
        : `Rückstand wird aufgeholt: ${f.count(done)} von ${f.count(total)} Runden`,
  },

  donor: {
    connecting: "Verbindung zum Host",
    idle: "Spendet nicht",
    starting: "Startet",
    donating: "Spendet",
    donatingAlone: "Spendet; der Host antwortet nicht",
    paused: "Pause",
    stopped: "Aufgehört",
    ended: "Der Lauf ist zu Ende",
    blocked: "Von einem Problem angehalten",
    catchingUp: "Rückstand zum Lauf wird aufgeholt",
    keptHere: "trainiert, und hier aufgehoben, bis der Host wieder da ist",
    waitingForHost: "Wartet auf den Host",
    waitingForRound: (round) => `Wartet, bis Runde ${f.count(round)} beginnt`,
    inRound: (round, what) => `Runde ${f.count(round)}: ${what}`,
    training: (step, steps) => `Training, Schritt ${f.count(step)} von ${f.count(steps)}`,
    exchanging: "Updates werden ausgetauscht",
    folding: "Updates werden ins Modell eingerechnet",
    refused: "Der Host hat diesen Browser nicht angenommen",
  },

  panel: {
    unable: "Spenden von hier",
    meaning: "Was Spenden heißt",
    yours: { gpu: "Deine GPU", processor: "Dein Prozessor" },
    looking: "Eine GPU wird gesucht…",
    thisMachine: "Dieser Rechner",
    noGpu: "keine GPU",
    softwareAdapter: "Software-Adapter",
    processor: (description) => `Prozessor (${description})`,
    unnamedAdapter: "Adapter ohne Namen",
    yourPart: "Dein Anteil",
    ownLoss: "Dein Verlust",
    ownSpeed: "Deine Token/s",
    stepTime: "Zeit je Schritt",
    shareOfStep: "Anteil am Schritt",
    shareOfStepText: (windows, all) => `${windows} von ${all}`,
    shareOfStepMore: "Sequenzen je Schritt, damit dieses Gerät mithält",
    contribution: "Dein Beitrag",
    contributionMore: (share) => `Token, ${share}`,
    rounds: "Runden, die zählten",
    traffic: "Zu und von Peers",
    desyncs: "Behobene Abweichungen",
    donate: { gpu: "Diese GPU spenden", processor: "Diesen Prozessor spenden" },
    again: "Noch einmal versuchen",
    pause: "Pause",
    resume: "Weiter",
    stop: "Aufhören",
    pausedText: "Dein Anteil an den nächsten Runden geht an die anderen. Was du bisher gegeben hast, zählt.",
    stoppedText: "Danke. Was du bisher gegeben hast, zählt, und du kannst jederzeit wieder anfangen.",
    goalReached: "Sein Ziel ist erreicht.",
    endedText: "Danke für deinen Anteil daran.",
    name: "Dein Name, wenn du magst",
    duty: "Zeit fürs Training",
    dutyOfTime: (share) => `${share} der Zeit`,
    dutyRests: { gpu: "Die GPU ruht nach jedem Schritt.", processor: "Der Prozessor ruht nach jedem Schritt." },
    dutyLess: "Weniger lässt Platz für das, was du sonst tust.",
    processorInstead: "Stattdessen den Prozessor spenden",
    processorInsteadMore: "{link}: langsamer, und es braucht keine GPU.",
    watchInstead: "Stattdessen dem Lauf zusehen",
    watchInsteadMore: "{link}: Das braucht keine GPU.",
    stepsOfRound: "Schritte dieser Runde",
  },

  controls,
  pause,
  part,
  check,
  island,
  identity,

  terms: {
    power: "GPU und Akku",
    powerText:
      "Dieser Tab rechnet, bis du ihn anhältst oder schließt: ein warmer Rechner, Lüfter, mehr Strom. Stecke einen Laptop ein.",
    memoryText: (most, least) =>
      `Er braucht ${most} vom Speicher der GPU${least === null ? "" : `, oder ${least}, wo so viel nicht frei ist, dann langsamer`}.`,
    memoryShared: (bytes, ranks) =>
      `Das Modell passt nicht allein auf diese GPU: ${f.count(ranks)} Geräte teilen es sich, jedes mit ${bytes} vom Speicher seiner GPU. Das Training beginnt, wenn die anderen da sind. Dann senden sie einander Megabytes in der Sekunde: Es geht mit Geräten, die nah beieinander sind.`,
    network: "Netz",
    company: (others) =>
      others === 0
        ? "solange du allein bist"
        : others === 1
          ? "mit dem einen anderen Peer hier"
          : `mit den ${others} anderen Peers hier`,
    amounts: (sent, received, company, pace, more) =>
      `Etwa ${sent} gesendet und ${received} empfangen je Stunde ${company}, ${pace}. Jeder weitere Peer bringt ${more} in jeder Richtung dazu.`,
    paceMeasured: (round) => `bei ${round} je Runde, wie zuletzt`,
    paceAssumed: "wenn eine Runde eine Minute dauert (gemessen ist noch keine)",
    once: (bytes) => `Einmal bis zu ${bytes} Text und Modell.`,
    privacy: "Privates",
    serves: "Zum Gesendeten gehören Updates anderer, die dein Browser weitergibt: Jeder Peer bedient andere.",
    privacyHidden:
      "Deine IP-Adresse sieht allein der Host, wie du es unter „Grenzen“ eingestellt hast. Andere sehen den Namen deines Adapters und den Namen, den du wählst. Sonst wird auf diesem Gerät nichts gelesen.",
    privacyHide: "Unter „Grenzen“ kannst du sie vor den anderen Peers verbergen.",
    privacyText:
      "Die anderen Peers und der Host sehen deine IP-Adresse, den Namen deines Adapters und den Namen, den du wählst. Sonst wird von diesem Rechner nichts gelesen.",
    storage: "Speicher",
    storageText:
      "Der Browser behält den Text und einen zufälligen Schlüssel, dem gutgeschrieben wird, was du gibst. Wer die Daten dieser Seite löscht, löscht beides.",
  },

  now: {
    title: "Gerade jetzt",
    webCaption: "Ein Tropfen ist ein Peer: Er läuft mit seinen Schritten zur Mitte.",
    webEmpty: "Das Netz ist leer: Niemand spendet",
    webLabel: (peers, tally) => `${f.count(peers)} ${n(peers, "Peer", "Peers")}: ${tally}`,
    youInBrackets: "(du)",
    round: (round) => `Runde ${f.count(round)}`,
    stale: "nach letztem Stand",
    meanStep: "Mittlerer Schritt der Teilnehmer",
    progress: (step, steps, offered, roster) =>
      `Schritt ${f.count(step)} von ${f.count(steps)}; ${f.count(offered)} von ${f.count(roster)} haben geliefert`,
    resting: "Jetzt trainiert niemand. Der Lauf ruht und geht weiter, wo er war, wenn jemand spendet.",
    figures: "Die Zahlen des Laufs",
    trainLoss: "Trainingsverlust",
    evalLoss: "Prüfverlust",
    evalMeasures: (bitsPerByte, perplexity) => `${bitsPerByte} Bit je Byte, Perplexität ${perplexity}`,
    speed: "Token/s, alle Peers",
    tokens: "Gezählte Token",
    peers: "Peers hier",
  },

  charts: {
    title: "Lernen",
    against: "Über",
    notDrawn: "Die Zeichnung ließ sich nicht laden. Die Werte stehen in der Tabelle darunter.",
    axes: { rounds: "Runden", tokens: "Token", time: "Zeit" },
    axisLabels: { rounds: "Runde", tokens: "Token", time: "Zeit" },
    loss: "Verlust des gemeinsamen Modells",
    natsPerToken: "Nats je Token",
    lossEmpty: "Noch zählt keine Runde. Der erste Punkt kommt mit der ersten.",
    training: "Training",
    heldOut: "Prüftext",
    speed: "Tempo des Schwarms",
    tokensPerSecond: "Token/s",
    speedEmpty: "Noch ist kein Tempo gemessen.",
    allPeers: "Alle Peers",
    ownLoss: "Dein Trainingsverlust",
    ownSteps: "Schritt, seit du angefangen hast",
    ownEmpty: "Der erste Punkt kommt mit deinem ersten Schritt.",
    thisDevice: "Dieses Gerät",
    table: "Neueste Werte als Tabelle",
    peers: "Peers im Lauf der Zeit",
    perRound: "je Runde",
    peersEmpty: "Noch hat keine Runde begonnen.",
    roster: "Zur Teilnahme gebeten",
    contributors: "Gezählt",
    roundTime: "Dauer einer Runde",
    fromOpenToSeal: "von der Öffnung bis zum Siegel",
    updateBytes: "Ausgetauschte Updates",
    allContributors: "Alle, die zählten",
    csv: (label) => `${label} (CSV)`,
    json: (label) => `${label} (JSON)`,
  },

  sections: {
    label: "Teile dieser Seite",
    now: "Jetzt",
    learning: "Lernen",
    try: "Modell ausprobieren",
    rounds: "Runden",
    peers: "Beitrag",
    mesh: "Netz",
    bandwidth: "Bandbreite",
    anchors: "Anker",
    machines: "Maschinen",
  },

  tryModel: {
    title: "Das Modell ausprobieren",
    intro: "Schreib etwas, und das gemeinsame Modell schreibt weiter, in diesem Tab. Was du schreibst, bleibt hier.",
    loading: "Einen Moment…",
    notLoaded: "Dieser Teil der Seite ist nicht geladen. Prüfe die Verbindung und lade die Seite neu.",
  },

  scrub: {
    label: "Gezeigte Runde",
    value: (round, last) => `Runde ${f.count(round)} von ${f.count(last)}`,
    live: "Live",
    round: (round) => `Runde ${f.count(round)}`,
    loading: "…",
    toLive: "Zurück zu live",
    replay: "Abspielen",
    still: "aus",
    speed: (rounds) => `${f.count(rounds)} ${n(rounds, "Runde", "Runden")}/s`,
  },

  past: {
    title: "Wie es war",
    anchor: "Anker",
    figures: "Die Zahlen des Laufs damals",
    roster: "Peers jener Runde",
    credited: "Peers mit Guthaben",
  },

  rounds: {
    title: "Runden",
    empty: "Noch hat keine Runde begonnen. Sobald eine läuft, steht hier, wer trainiert, liefert und wartet.",
    label: (round) => `Runde ${f.count(round)}, Peer für Peer`,
    parts: { trainMs: "trainiert", hiddenMs: "weitertrainiert", waitMs: "gewartet", foldMs: "geholt und eingerechnet" },
    notNamed: "nicht gezählt",
    desync: "weicht ab",
    open: (round, roster) => `Runde ${f.count(round)} ist offen für ${f.count(roster)} ${n(roster, "Peer", "Peers")}.`,
    took: (round, time) => `Runde ${f.count(round)} dauerte ${time}.`,
    voided: (round) => `Runde ${f.count(round)} ist ungültig: Eines ihrer Updates ist verloren.`,
    exchanged: (time) => `Vom Beschluss bis zum Siegel wurde ${time} lang ausgetauscht und eingerechnet.`,
    waitedFor: (name, time) => `Alle haben ${time} auf ${name} gewartet.`,
    hidden: (share) => `${share} des Austauschs war verdeckt: Die Peers trainierten währenddessen weiter.`,
    fromLog:
      "Sie steht so im Log, das Beschlüsse und Siegel hat; wann jeder Peer lieferte, wird nicht so lange behalten.",
    stripLabel: (rounds, longest) => `Dauer der letzten ${f.count(rounds)} Runden; die längste dauerte ${longest}`,
    stripCaption: (rounds) =>
      `Die letzten ${f.count(rounds)} Runden: unten das Training, oben Austausch und Einrechnen.`,
    slow: {
      title: "Was die Runden aufhält",
      causes: {
        "joins-late": "ist spät bereit",
        "trains-slowly": "trainiert langsam",
        "uploads-slowly": "lädt langsam hoch",
        "fetches-slowly": "holt oder rechnet langsam ein",
        "link-stalls": "wartet auf seine Verbindung mit",
      },
      costs: (time, rounds, of) => `${time} je Runde, in ${f.count(rounds)} der letzten ${f.count(of)}.`,
    },
  },

  mesh: {
    title: "Netz",
    empty: "Keine Verbindung ist offen. Das Bild kommt mit den ersten zwei Peers.",
    label: (peers, links, kinds) =>
      `Netz aus ${f.count(peers)} Peers mit ${f.count(links)} ${n(links, "Verbindung", "Verbindungen")}: ${kinds}`,
    kind: (links, kind) => `${f.count(links)} ${kind}`,
    roundTrip: (time) => `mittlere Laufzeit ${time}`,
    caption: "Eine breitere Linie bewegt mehr.",
    island: (size) =>
      `Eine Insel von ${f.count(size)}, die ein Modell unter sich aufteilen: {leader} führt, mit{others}.`,
    some: (shown, all) =>
      `Eine breitere Linie bewegt mehr. ${f.count(shown)} von ${f.count(all)} Peers sind gezeichnet.`,
  },

  anchors: {
    title: "Anker",
    note: "Nach jeder Runde müssen alle Peers dieselben Parameter haben, Bit für Bit. Ein Siegel nennt deren Hash.",
    empty: "Noch ist keine Runde besiegelt.",
    label: "Die neuesten Runden und ihre Anker",
    round: "Runde",
    anchor: "Anker",
    verdict: "Ausgang",
    folded: "Gleich gerechnet",
    time: "Besiegelt",
    verdicts: {
      sealed: "✓ besiegelt",
      desync: "≠ besiegelt, mit Abweichung",
      refused: "! besiegelt, ein Update abgewiesen",
      voided: "× ungültig",
      open: "… läuft noch",
    },
    by: (names) => `von ${names}`,
    attested: (attesters, roster) => `${f.count(attesters)} von ${f.count(roster)}`,
  },

  machines: {
    title: "Maschinen",
    adapters: "Adapter im Schwarm",
    adapter: "Adapter",
    peers: "Peers",
    training: "Im Training",
    speed: "Token/s",
    nobody: "Niemand ist hier.",
    more: (others) => `und ${f.count(others)} weitere Arten.`,
    host: "Der Host",
    unknown: "Der Host hat noch nichts gesagt.",
    since: "Läuft seit",
    delay: "Zeitgeber verspätet um",
    delayGood: "er kommt mit",
    delayLate: "er ist überlastet",
    connections: "Verbindungen",
    watchers: "Zuschauer",
    relay: "Weitergereichte Verbindungen",
    served: "Ausgelieferte Blobs",
    memory: "Arbeitsspeicher",
    disk: "Freier Platz",
    log: "Log",
    entries: "Einträge",
  },

  churn: {
    title: "Kommen und Gehen",
    empty: "Niemand ist gekommen oder gegangen, seit der Host läuft.",
    label: "Wer kam, ging oder ausfiel, Neuestes zuerst",
    reasons: {
      "page-closed": "die Seite wurde geschlossen oder neu geladen",
      "connection-closed": "die Verbindung riss ab",
      "said-bye": "hat sich verabschiedet",
      "too-large": "hat eine zu große Nachricht geschickt",
      paused: "Pause, auf Wunsch",
      stopped: "aufgehört, auf Wunsch",
    },
  },

  peers: {
    title: "Beitrag",
    empty: "Noch hat niemand etwas gegeben. Wer zuerst spendet, führt diese Liste an.",
    label: "Peers nach gezählten Token",
    nameless: "Peer",
    you: "du",
    software: "Software",
    leadsIsland: "führt eine Insel",
    ofIsland: "mit {leader}",
    peer: "Peer",
    state: "Zustand",
    tokens: "Gezählte Token",
    share: "Anteil",
    rounds: "Runden",
    loss: "Verlust",
    speed: "Token/s",
    links: "Leitung jetzt",
    adapter: "Adapter",
    some: (shown, all) => `${f.count(shown)} von ${f.count(all)} Peers sind zu sehen.`,
  },

  bandwidth: {
    title: "Bandbreite",
    totals: "Bytes insgesamt, nach ihrem Weg",
    kinds: { direct: "direkt", turn: "über TURN", relayed: "über den Host" },
    ways: {
      direct: ["Direkt", "von Peer zu Peer"],
      turn: ["TURN", "weitergereicht, von Ende zu Ende verschlüsselt"],
      relayed: ["Weitergereicht", "durch den Host, weil eine Verbindung fehlt"],
      toHost: ["Zum Host", "Updates zum Aufheben, Angebote, Signale"],
      fromHost: ["Vom Host", "Text, Modell, Log"],
      updatesByHost: ["Updates vom Host", "von ihm statt von Peers geholt"],
    },
    linkedWith: "Verbunden mit",
    way: "Weg",
    sending: "Sendet",
    receiving: "Empfängt",
    sent: "Gesendet",
    received: "Empfangen",
    roundTrip: "Laufzeit",
    milliseconds: (ms) => `${f.count(ms)} ms`,
    own: "Deine Verbindungen",
    others: "Verbindungen zwischen anderen",
    all: "Verbindungen",
    ofRun: "Verbindungen des Laufs",
    empty: "Keine Verbindung ist offen. Peers verbinden sich, sobald zwei von ihnen spenden.",
    ddp: (moved, ddp, factor) =>
      `${moved} wurden bewegt, seit der Host läuft. Gradienten bei jedem Schritt auszutauschen (DDP) hätte für dieselben Runden ${ddp} gekostet: das ${factor}-Fache.`,
    some: (shown, all) => `Die ersten ${f.count(shown)} von ${f.count(all)} Verbindungen sind zu sehen.`,
  },

  ended: {
    title: "Dieser Lauf ist zu Ende",
    goals: {
      rounds: (count) => `Sein Ziel ist erreicht: ${f.count(count)} ${n(count, "Runde", "Runden")}.`,
      tokens: (count) => `Sein Ziel ist erreicht: ${f.sizeInWords(count)} Token.`,
    },
    result: "Ergebnis",
    rounds: "Runden",
    tokens: "Token",
    share: "Dein Anteil",
    madeBy: "Gemacht von",
    nobody: "Kein Beitrag wurde gezählt.",
    more: (others) => `und ${f.count(others)} weiteren, in der Liste unten.`,
    takeHome: "Zum Mitnehmen",
    model: "Das Modell",
    modelMore: "{link} als Datei für llama.cpp oder transformers",
    checkpoint: "Neuester Checkpoint",
    checkpointMore: (licence) => `{link}: seine Dateien und ihre Hashes (JSON). Anker {anchor}, Lizenz ${licence}`,
    log: "Das Log des Laufs",
    logMore: "{link}: jede Runde, unterschrieben, zum Nachrechnen (JSON)",
  },
};
