// Das Modell ausprobieren, auf Deutsch.
import { formats } from "./format.ts";
import { plurals } from "./plural.ts";
import type { TryTexts } from "./try-en.ts";

const f = formats("de");
const n = plurals("de");

export const tryTexts: TryTexts = {
  prompt: "Dein Text",
  example: "My fellow citizens, ",
  keys: "Strg und Eingabe schreibt weiter.",
  checkpoint: "Das Modell",
  newest: (round) => `der Anker von jetzt, nach Runde ${round}`,
  newestUnknown: "der Anker von jetzt",
  afterRound: (round) => `nach Runde ${round}`,
  sideTitle: (round) => `Nach Runde ${round}`,
  compare: "Daneben",
  compareNone: "kein anderer",
  settings: (temperature, seed) => `Einstellungen: Temperatur ${temperature}, Startwert ${seed}`,
  temperature: "Temperatur",
  temperatureMore: "Bei 0 immer das Wahrscheinlichste; bei 1, wie das Modell es meint.",
  topK: "Vom Wahrscheinlichsten nur",
  topKAll: "alle",
  topP: "Davon nur so viel Wahrscheinlichkeit",
  tokens: "Länge in Tokens",
  tokensMore: "Ein Token ist hier ein Byte: meist ein Buchstabe.",
  tokensMorePieces: "Ein Token ist hier ein Stück Text: oft ein ganzes Wort.",
  seed: "Startwert des Zufalls",
  seedMore: "Derselbe Text mit denselben Einstellungen und demselben Startwert geht auf diesem Gerät genauso weiter.",
  write: "Weiterschreiben",
  writing: "Schreibt…",
  stop: "Anhalten",
  fetches: (bytes) => `Beim ersten Mal werden ${bytes} geholt.`,
  confirm: (bytes) => `Dafür werden ${bytes} geholt. Ist diese Verbindung die richtige dafür?`,
  confirmYes: (bytes) => `${bytes} holen`,
  confirmNo: "Jetzt nicht",
  states: {
    fetching: "Wird geholt",
    starting: "Startet",
    reading: "Liest deinen Text",
    writing: "Schreibt",
    done: "Fertig",
    stopped: "Angehalten",
    failed: "Nicht möglich",
  },
  fetched: (done, total) => `Das Modell wird geholt: ${done} von ${total}`,
  figures: (tokens, rate) =>
    `${f.count(tokens)} ${n(tokens, "Token", "Tokens")}${rate === null ? "" : `, ${f.count(rate)} je Sekunde`}`,
  announced: (round, text) => `Nach Runde ${round}: ${text}`,
  none: "Noch gibt es nichts auszuprobieren: Das Modell kommt mit den ersten Runden des Laufs.",
  asking: "Der Host wird gefragt, was er aufbewahrt…",
  onGpu: (adapter) => `Berechnet von ${adapter}, neben allem anderen, was dieser Tab tut.`,
  onProcessor: "Berechnet vom Prozessor dieses Geräts: gut für ein kleines Modell, langsam für ein großes.",
  insteadOfGpu: (reason) => `Die GPU konnte es nicht übernehmen: ${reason}`,
  donating: "Das Spenden geht dabei weiter, etwas langsamer.",
  samples: "Wie es schreiben lernte",
  samplesNote: "Bei jedem Checkpoint lässt der Host das Modell dieselben Worte fortsetzen, mit denselben Würfeln.",
  samplesNone: "Hier werden die eigenen Sätze des Laufs fortgesetzt, sobald der erste Checkpoint da ist.",
  samplesTime: "Checkpoint",
  takeHome: "Das Modell mitnehmen",
  takeHomeNote:
    "Als Datei, die andere Programme laden. Lauf, Runde und Anker stehen darin; im Archiv steht auch, wer es trainiert hat, vom Host unterschrieben.",
  takeFor: "Für",
  formats: {
    gguf: "llama.cpp und was darauf aufbaut (GGUF)",
    safetensors: "transformers und was darauf aufbaut (Archiv mit Safetensors)",
  },
  exactness: "Genauigkeit",
  types: {
    f32: "f32: wie es trainiert wurde",
    bf16: "bf16: halb so groß",
    f16: "f16: halb so groß",
    q8_0: "q8_0: ein Viertel so groß",
  },
  takeRound: "Von",
  take: "Herunterladen",
  begun: (name, bytes) => `Der Download hat begonnen: ${name}, ${bytes}.`,
  refused: "Der Host gibt es nicht:",
  faults: {
    none: "Noch gibt es nichts auszuprobieren: Das Modell kommt mit den ersten Runden des Laufs.",
    unreachable: "Das Modell ist nicht angekommen. Prüfe die Verbindung und versuche es noch einmal.",
    "unknown-run": "Der Host kennt diesen Lauf nicht mehr. Lade die Seite neu.",
    "not-kept": "Der Host bewahrt diesen Checkpoint nicht mehr auf. Wähle einen anderen.",
    damaged:
      "Was ankam, ist nicht das angekündigte Modell. Versuche es noch einmal, oder wähle einen anderen Checkpoint.",
    "device-lost": "Die GPU ist unterdessen verschwunden. Versuche es noch einmal: Es beginnt von vorn.",
    "out-of-memory":
      "Dafür ist nicht genug Speicher frei. Schließe andere Tabs, oder beende das Spenden, und versuche es noch einmal.",
    "too-large": "Das Modell ist zu groß für dieses Gerät.",
    diverged: "Die Zahlen dieses Checkpoints taugen nichts: Sein Training ist entgleist. Wähle einen anderen.",
    failed: "Das hat nicht geklappt. Versuche es noch einmal, oder lade die Seite neu.",
  },
};
