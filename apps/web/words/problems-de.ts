// Was nicht geht, und was hilft: problems-en.ts auf Deutsch.
import type { Browser } from "../machine.ts";
import { formats } from "./format.ts";
import type { problemTexts, problemTitles } from "./problems-en.ts";

const f = formats("de");

const span = (ms: number): string => (ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`);

const webGpuAdvice: Record<Browser, string> = {
  chromium:
    "Aktualisiere den Browser. Ist er aktuell, öffne chrome://gpu und suche nach „WebGPU“: Vielleicht ist die Hardwarebeschleunigung ausgeschaltet (Einstellungen, System), oder der Grafiktreiber steht auf der Sperrliste des Browsers, was unter Linux häufig ist.",
  firefox:
    "Aktualisiere Firefox: Windows und Macs mit Apple-Chip haben WebGPU, andere Systeme vielleicht noch nicht. Öffne die Seite sonst in Chrome oder Edge.",
  safari:
    "Safari hat WebGPU ab Version 26 (macOS, iOS und iPadOS 26). Aktualisiere das System, oder nimm Chrome oder Edge.",
  other: "Öffne diese Seite in einem aktuellen Chrome, Edge, Firefox oder Safari.",
};

const refusalRemedies: Readonly<Record<string, string>> = {
  fork: "Sag es dem Betreiber des Laufs: Es gibt zwei Verläufe, und dieser Browser hat beide unterschriebenen Einträge als Beleg behalten. Traue den Zahlen dieses Hosts nicht, bis das geklärt ist.",
  version: "Lade die Seite neu: Der Host läuft in einer neueren Version.",
  "run-unknown": "Prüfe die Adresse: Dieser Host kennt den Lauf nicht.",
  "run-ended": "Der Lauf ist zu Ende: danke. Sein Ergebnis bleibt auf dieser Seite.",
  superseded: "Derselbe Peer hat sich anderswo verbunden. Drücke den Knopf, um stattdessen von hier zu spenden.",
  signature: "Lade die Seite neu. Hilft das nicht, lösche die Daten dieser Seite: Dann entsteht eine neue Identität.",
  banned: "Wenn du das für einen Irrtum hältst, sag es dem Betreiber des Laufs.",
  "invite-needed":
    "Öffne den Einladungslink, den du bekommen hast, vollständig in diesem Browser. Zuschauen geht ohne.",
  "invite-unknown":
    "Prüfe, ob der Link vollständig ist, oder bitte, wer ihn geschickt hat, um einen neuen. Zuschauen geht ohne.",
  "invite-ended": "Bitte, wer sie geschickt hat, um eine neue. Zuschauen geht ohne.",
  "invite-used-up": "Bitte, wer sie geschickt hat, um eine neue. Zuschauen geht ohne.",
  "not-listed": "Schicke dem Betreiber diesen Schlüssel: Er ist nicht geheim. Zuschauen geht ohne.",
};

const refusalReasons: Readonly<Record<string, (reason: string) => string>> = {
  banned: (reason) => `Der Host hält den Schlüssel dieses Browsers draußen: ${reason}`,
  "invite-needed": () => "Dieser Lauf nimmt geladene Freiwillige, und dieser Browser kam ohne Einladung.",
  "invite-unknown": () =>
    "Der Host kennt diese Einladung nicht: Ihr Link ist nicht vollständig, oder sie wurde zurückgezogen.",
  "invite-ended": () => "Die Zeit dieser Einladung ist um.",
  "invite-used-up": () => "Diese Einladung wurde so oft benutzt, wie sie darf.",
  "not-listed": (reason) =>
    `Dieser Lauf nimmt Freiwillige, deren Schlüssel sein Betreiber eingetragen hat, und der dieses Browsers ist nicht dabei. Sein Schlüssel ist ${reason.slice(-64)}`,
};

export const titles: typeof problemTitles = {
  "insecure-context": "Diese Adresse ist nicht sicher, deshalb ist die GPU nicht erreichbar",
  "no-webgpu": "Dieser Browser hat kein WebGPU",
  "no-adapter": "Keine brauchbare GPU gefunden",
  "device-lost": "Das Gerät ist verschwunden",
  "out-of-memory": "Dem Gerät ist der Speicher ausgegangen",
  "model-too-large": "Das Modell ist zu groß für dieses Gerät",
  "wrong-results": "Diese GPU rechnet falsch",
  "no-slot": "Schon zu viele Tabs spenden",
  refused: "Der Host hat diesen Browser nicht angenommen",
  "worker-failed": "Das Training ist unerwartet stehen geblieben",
  "host-gone": "Der Host antwortet nicht",
  "line-blocked": "Etwas blockiert die Leitung zum Host",
  "storage-refused": "Der Browser erlaubt kein Speichern",
  "storage-full": "Der Speicher des Browsers ist voll",
  "moments-on-disk": "Das Training nutzt die Festplatte dieses Geräts",
  "software-adapter": "Keine GPU: Ein Software-Adapter rechnet",
  "no-gpu": "Keine GPU: Der Prozessor trainiert",
  "second-tab": "Ein anderer Tab spendet schon",
  "no-links": "Keine direkte Verbindung zu einem anderen Peer",
  frozen: "Der Browser hat diesen Tab eingefroren",
  interrupted: "Das Spenden wurde unterbrochen",
  discarded: "Der Browser hatte diesen Tab entladen",
  "not-forgotten": "Nicht alles wurde vergessen",
  slept: "Dieser Rechner hat geschlafen",
};

export const texts: typeof problemTexts = {
  insecureContext: () => ({
    message: "Browser geben WebGPU nur Seiten, die über HTTPS oder von diesem Rechner selbst kommen.",
    remedy:
      "Öffne die https://-Adresse der Seite, oder http://localhost auf dem Rechner des Hosts. Wer ihn betreibt, kann mit --share starten: Dann gibt es HTTPS im ganzen Netz.",
  }),
  noWebGpu: (browser) => ({
    message: "Dieser Browser bietet kein WebGPU, auf dem das Training läuft.",
    remedy: webGpuAdvice[browser],
  }),
  noAdapter: (browser) => ({
    message: "Der Browser hat WebGPU, fand aber keinen Grafikadapter, dem er traut.",
    remedy:
      browser === "chromium"
        ? "Schalte die Hardwarebeschleunigung ein (Einstellungen, System), aktualisiere den Grafiktreiber und starte den Browser neu. chrome://gpu sagt, was ausgeschaltet ist."
        : "Schalte in den Einstellungen des Browsers die Hardwarebeschleunigung ein, aktualisiere den Grafiktreiber und starte den Browser neu.",
  }),
  gpuFailed: (reason) => ({
    message: reason,
    remedy:
      "Schalte in den Einstellungen des Browsers die Hardwarebeschleunigung ein, oder aktualisiere den Grafiktreiber, und drücke den Knopf noch einmal.",
  }),
  deviceLost: (reason) => ({
    message: `Was hier trainiert, ist zweimal verschwunden (${reason}).`,
    remedy:
      "Schließe, was die GPU sonst noch nutzt, und drücke den Knopf noch einmal. Von dem, was zählt, ist nichts verloren. Nach mehreren Verlusten verweigern Browser die GPU: Starte dann den Browser neu.",
  }),
  outOfMemory: (reason) => ({
    message: `Der Speicher dieses Geräts reicht nicht: ${reason}`,
    remedy: "Schließe andere Tabs und Programme, die die GPU nutzen, und drücke den Knopf noch einmal.",
  }),
  modelTooLarge: (reason) => ({
    message: reason,
    remedy:
      "Dieser Lauf braucht eine größere GPU. Du kannst ihm hier zusehen, oder einem Lauf mit kleinerem Modell spenden.",
  }),
  wrongResults: (failed, checks, kernels) => ({
    message: `${f.count(failed)} von ${f.count(checks)} Ergebnissen dieser GPU sind nicht, was sie sein müssen (${kernels}). Was sie trainiert, wäre für die anderen Rauschen.`,
    remedy:
      "Aktualisiere Browser und Grafiktreiber und drücke den Knopf noch einmal. Hilft das nicht, gib den Bericht unten weiter: Er enthält nichts Persönliches.",
  }),
  noSlot: () => ({
    message: "Sechzehn Tabs dieses Browsers spenden diesem Lauf schon.",
    remedy: "Ein Tab nutzt die ganze GPU: Schließe die anderen.",
  }),
  refused: (code, reason) => ({
    message: refusalReasons[code]?.(reason) ?? `Der Host nimmt diesen Peer nicht an (${code}): ${reason}`,
    remedy: refusalRemedies[code] ?? "Lade die Seite neu; hilft das nicht, sag es dem Betreiber des Laufs.",
  }),
  workerFailed: (reason) => ({
    message: `Das Training endete mit einem Fehler: ${reason}`,
    remedy: "Drücke den Knopf noch einmal. Kommt der Fehler wieder, melde ihn bitte mit dem Text oben.",
  }),
  workerDidNotStart: (reason) => ({
    message: `Der Teil dieser Seite, der trainiert, ist nicht gestartet: ${reason}`,
    remedy:
      "Lade die Seite neu. Hilft das nicht, blockiert vielleicht eine Erweiterung oder ein Netzfilter ihre Worker.",
  }),
  codeNotLoaded: (reason) => ({
    message: `Der Code, der trainiert, konnte nicht geladen werden: ${reason}.`,
    remedy: "Sieh nach, ob der Host noch läuft, und lade die Seite dann neu.",
  }),
  dataUnusable: (reason) => ({
    message: `Der Trainingstext des Laufs ist nicht brauchbar: ${reason}`,
    remedy: "Sag es dem Betreiber des Laufs.",
  }),
  hostGone: (reason) => ({
    message: `Keine Verbindung zum Host: ${reason}`,
    remedy:
      "Nichts zu tun: Diese Seite versucht es weiter, und nichts ist verloren. Was trainiert wurde, wartet hier, und Verbindungen zu anderen Peers bleiben.",
  }),
  lineBlocked: () => ({
    message:
      "Der Host beantwortet Anfragen dieses Browsers, aber die bleibende Verbindung, die Peers brauchen (ein WebSocket), kommt nicht zustande. Meist lässt ein Proxy, eine Firewall oder ein Virenscanner dazwischen sie nicht durch; manchmal teilen sich zu viele Peers diese Adresse.",
    remedy:
      "Diese Seite versucht es weiter. Versuche ein anderes Netz, oder bitte, wer dieses betreibt, WebSockets zu dieser Adresse zu erlauben. Wer den Host hinter einem Proxy betreibt: Er muss Upgrade und Connection weitergeben.",
  }),
  storageRefused: (reason) => ({
    message: `Dieser Browser lässt die Seite nichts speichern (${reason}).`,
    remedy:
      "Spenden geht, aber deine Identität endet mit diesem Tab, und beim nächsten Mal wird alles neu geholt. Verlasse das private Fenster, um beides zu behalten.",
  }),
  storageFull: () => ({
    message: "Der Speicher des Browsers ist voll oder wurde geleert.",
    remedy:
      "Die Spende geht aus dem Arbeitsspeicher weiter. Mach etwas Platz, damit Geholtes für das nächste Mal bleibt.",
  }),
  softwareAdapter: (name) => ({
    message: `${name} ist ein Software-Adapter: Der Prozessor gibt sich als GPU aus und ist zehn- bis hundertmal langsamer.`,
    remedy:
      "Es geht. Hat dieser Rechner eine GPU, schalte in den Einstellungen des Browsers die Hardwarebeschleunigung ein.",
  }),
  noGpu: () => ({
    message: "Hier trainiert der Prozessor, ohne GPU.",
    remedy:
      "Es geht, langsamer als mit GPU. Hat dieser Rechner eine, schalte in den Einstellungen des Browsers die Hardwarebeschleunigung ein.",
  }),
  momentsOnDisk: (bytes) => ({
    message: `Das Modell passt in den Speicher dieser GPU nur ohne seine Momente, also das, was jeder Schritt von den früheren behält: ${f.bytes(bytes)}. Sie liegen in einer Datei dieses Browsers, die jeder Schritt liest und schreibt.`,
    remedy:
      "Schritte dauern länger, und die Festplatte arbeitet. Hör auf, wann immer du sie schonen willst: Die Datei verschwindet damit.",
  }),
  secondTab: () => ({
    message: "Ein anderer Tab dieses Browsers spendet schon.",
    remedy: "Ein zweiter Tab auf einer GPU bringt nichts: Schließe einen.",
  }),
  slept: (ms) => ({
    message: `Dieser Rechner hat ${span(ms)} geschlafen.`,
    remedy:
      "Nichts zu tun: Die Seite sucht den Host und die anderen Peers wieder und steigt dort ein, wo der Lauf jetzt ist.",
  }),
  frozen: (ms) => ({
    message: `Alles hier stand ${span(ms)} still, um Energie oder Speicher zu sparen.`,
    remedy:
      "Nichts ist verloren: Die Seite nimmt den Lauf da auf, wo er jetzt ist. Damit es nicht geschieht, lass den Tab im Blick oder in einem eigenen Fenster, oder erlaube es in den Einstellungen des Browsers (Leistung: Websites, die aktiv bleiben).",
  }),
  interrupted: () => ({
    message: "Diese Seite hat gespendet, als sie neu geladen wurde.",
    remedy: "Drück den Knopf, damit es weitergeht: Dein Schlüssel und was du gegeben hast sind noch da.",
  }),
  discarded: () => ({
    message: "Das sparte Speicher, und das Spenden ruhte bis jetzt.",
    remedy:
      "Es geht von selbst weiter. Damit es nicht geschieht, erlaube diese Website in den Einstellungen des Browsers (Leistung: Websites, die aktiv bleiben).",
  }),
  notForgotten: (error) => ({
    message: `Der Browser hat nicht gelöscht, was diese Seite behält: ${error}`,
    remedy: "Lösche die Daten dieser Seite in den Einstellungen des Browsers: Das löscht dasselbe.",
  }),
  noLinksOverCap: () => ({
    message:
      "Andere Peers sind da, aber keine direkte Verbindung zu ihnen kam zustande, und der Host hat aufgebraucht, was er in diesem Monat vermitteln darf.",
    remedy:
      "Ihre Updates kommen stattdessen über den Host, das ist langsamer. Ein anderes Netz lässt direkte Verbindungen vielleicht zu; die Grenze setzt der Betreiber.",
  }),
  noLinks: () => ({
    message: "Andere Peers sind da, aber keine direkte Verbindung zu ihnen kam zustande.",
    remedy:
      "Ihre Updates kommen stattdessen über den Host. Meist liegt es an einer Firewall oder einem strengen Router.",
  }),
};
