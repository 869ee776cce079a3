// Die Prüfung vor dem Spenden, auf Deutsch.
import type { checkTexts } from "./check-en.ts";

export const check: typeof checkTexts = {
  title: "Dieses Gerät erst prüfen",
  intro: "Es wird nichts trainiert, und andere Freiwillige erfahren nichts davon.",
  adapter: "Adapter",
  memory: "Speicher",
  memoryNeed: (bytes) => `${bytes} für diesen Lauf`,
  results: "Ergebnisse",
  resultsMore: "verglichen mit dem, was sie sein müssen",
  link: "Verbindung zu anderen",
  states: {
    waiting: "kommt noch",
    working: "wird geprüft…",
    passed: "in Ordnung",
    failed: "nicht möglich",
  },
  links: {
    waiting: "kommt noch",
    working: "wird geprüft…",
    direct: "direkt, soweit ein Ende das sagen kann",
    turn: "über den TURN-Server des Betreibers",
    relayed: "über den Host: UDP kommt von hier nicht durch, oder du verbirgst deine Adresse",
    none: "keine: Updates kommen vom Host",
    unknown: "der Host antwortet nicht",
  },
  passed: "Dieses Gerät kann spenden.",
};
