// Der Schlüssel der Freiwilligen, und was dieser Browser behält, auf Deutsch.
import type { identityTexts } from "./identity-en.ts";

export const identity: typeof identityTexts = {
  title: "Dein Schlüssel, und was dieser Browser behält",
  intro:
    "Was du gibst, wird einem Schlüssel gutgeschrieben, den dieser Browser gemacht hat. Wer ihn hat, ist du: Nimm ihn mit auf ein neues Gerät, oder heb ihn auf für den Tag, an dem die Daten dieses Browsers gelöscht werden.",
  export: "Den Schlüssel mitnehmen",
  passphrase: "Eine Passphrase von mindestens 8 Zeichen",
  make: "Schlüsseldatei machen",
  made: (volunteer) =>
    `Der Schlüssel von ${volunteer}, unter deiner Passphrase. Ohne sie kann niemand etwas damit anfangen, auch du nicht.`,
  download: "Schlüsseldatei herunterladen",
  fileName: (volunteer) => `gossamer-schluessel-${volunteer}.json`,
  qr: "Derselbe Schlüssel als QR-Code",
  qrMore: "Öffne ihn mit der Kamera eines Telefons: Dessen Browser fragt nach der Passphrase.",
  import: "Einen Schlüssel herbringen",
  importMore:
    "Er tritt an die Stelle des Schlüssels, den dieser Browser jetzt hat: Mach von dem erst eine Datei, wenn ihm etwas gutgeschrieben ist.",
  file: "Schlüsseldatei",
  filePassphrase: "Ihre Passphrase",
  bring: "Diesen Schlüssel benutzen",
  stopFirst: "Beende erst das Spenden: Was im Gange ist, wird mit dem jetzigen Schlüssel unterschrieben.",
  offered:
    "Diese Adresse hat einen Schlüssel mitgebracht. In der Adresszeile steht er nicht mehr, und sonst hat ihn niemand gesehen.",
  imported: (volunteer) => `Dieser Browser ist von jetzt an ${volunteer}.`,
  working: "Einen Augenblick…",
  faults: {
    "not-a-key": "Diese Datei ist kein Schlüssel von Freiwilligen.",
    version:
      "Diese Schlüsseldatei ist von einer anderen Version dieser Seite. Lade die Seite neu, oder nimm die Version, die sie gemacht hat.",
    damaged: "Diese Schlüsseldatei ist beschädigt: Sie ist nicht, wie sie geschrieben wurde.",
    passphrase: "Die Passphrase öffnet diese Datei nicht, oder die Datei wurde verändert.",
    "too-short": "Die Passphrase ist zu kurz: mindestens 8 Zeichen.",
    storage:
      "Der Browser hat den Schlüssel nicht gespeichert oder gelesen. Verlasse das private Fenster, oder schaff Platz auf der Platte.",
  },
  forget: "Vergiss mich",
  forgetMore: (bytes) =>
    `Löscht den Schlüssel, den geholten Text, Einstellungen und Zwischenspeicher${bytes === null ? "" : `: ${bytes}`}. Ohne Schlüsseldatei bleibt deine Gutschrift bei einem Schlüssel, den niemand mehr hat. Was im Log des Laufs steht, bleibt dort.`,
  forgetNow: "Alles davon löschen",
  forgotten: "Dieser Browser hat alles über dich vergessen: Schlüssel, Text, Einstellungen.",
};
