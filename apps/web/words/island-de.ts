// Inseln, auf Deutsch.
import { formats } from "./format.ts";
import type { islandTexts } from "./island-en.ts";
import { plurals } from "./plural.ts";

const f = formats("de");
const n = plurals("de");

export const island: typeof islandTexts = {
  waiting: "Wartet auf Gesellschaft",
  forming: "Bildet eine Insel",
  serving: "Trainiert mit anderen, als Teil einer Insel",
  tooLarge: (why) => `Das Modell passt nicht allein in diesen Tab. ${why}`,
  wished: "Du willst mit anderen Tabs trainieren, als einer.",
  missing: (count, ranks) =>
    `Es ${n(count, "fehlt", "fehlen")} noch ${f.count(count)} ${n(count, "Gerät", "Geräte")}: Dieses Modell braucht ${f.count(ranks)}.`,
  asking: (ranks) => `Dieses Modell braucht ${f.count(ranks)} Geräte: Der Host wird gefragt, wer noch wartet.`,
  because: {
    "too-few":
      "Sobald sie kommen, beginnt es von selbst; ein anderes Gerät von dir, auf dem diese Seite offen ist, zählt.",
    unlinked: "Andere warten auch, aber zwischen euch gibt es noch keine direkten Verbindungen.",
    slow: "Andere warten auch, aber ihre Antworten brauchen zu lange bis zu diesem Gerät.",
    measuring: "Andere sind gerade gekommen: Die Verbindungen zwischen euch werden gemessen.",
    resting: "Hier ist gerade eine Insel zerfallen: Gleich wird die nächste versucht.",
    full: "Dieser Lauf hat so viele Inseln, wie er haben darf.",
    "too-small":
      "Andere warten auch, aber zusammen habt ihr zu wenig Speicher für das Modell: Es beginnt, sobald noch eines kommt, oder ein größeres.",
  },
  over: (reason) => `Die Insel davor ist zerfallen. ${reason}`,
  leads: (size) => `Dieser Tab führt eine Insel von ${f.count(size)}, mit {names}.`,
  partOf: (size) => `Teil einer Insel von ${f.count(size)}, geführt von {leader}, mit {names}.`,
  partOfTwo: "Teil einer Insel von 2, geführt von {leader}.",
  and: ", ",
  heads: (first, count, of, columns) =>
    count === 0
      ? `Er hält keine Attention-Köpfe und ${columns} jeder Feed-Forward-Schicht.`
      : `Er hält ${n(count, `Kopf ${first}`, `die Köpfe ${first}–${first + count - 1}`)} von ${of} und ${columns} jeder Feed-Forward-Schicht.`,
  layers: (first, count, of) =>
    `Er hält ${n(count, `Schicht ${first}`, `die Schichten ${first}–${first + count - 1}`)} von ${of}.`,
  rows: "Er hält einen Teil der Positionen jedes Textes.",
  exchange: (perSecond, time, hidden, rate) =>
    `Zwischen ihren Mitgliedern: ${f.count(perSecond)} ${n(Math.round(perSecond), "Summe", "Summen")} je Sekunde, jede ${time}, davon ${hidden} hinter dem, was derweil gerechnet wird; dieser Tab sendet ${rate}.`,
};
