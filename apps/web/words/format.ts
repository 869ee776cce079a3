// Numbers as people read them, in a language's own digits and separators. Units are decimal everywhere, so that a screenshot from
// one machine reads like one from another.
import type { PeerId } from "#wire";
import { slotOf } from "#wire/peer-id";

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** @param locale of numbers; clocks have 24 hours everywhere */
export function formats(locale: string) {
  const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
  const scaled = new Intl.NumberFormat(locale, { maximumSignificantDigits: 3 });
  const rough = new Intl.NumberFormat(locale, { maximumSignificantDigits: 2 });
  const inWords = new Intl.NumberFormat(locale, {
    notation: "compact",
    compactDisplay: "long",
    maximumSignificantDigits: 3,
  });
  const compact = new Intl.NumberFormat(locale, { notation: "compact", maximumSignificantDigits: 3 });
  const parts = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
  const decimals = (digits: number) =>
    new Intl.NumberFormat(locale, {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
      useGrouping: false,
    });
  const three = decimals(3);
  const two = decimals(2);
  const clock = new Intl.DateTimeFormat(locale, {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
  const day = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });

  const count = (value: number): string => whole.format(value);

  function bytes(value: number): string {
    let unit = 0;
    let size = value;
    // 999.5 would print as 1,000: the next unit takes it.
    while (size >= 999.5 && unit < BYTE_UNITS.length - 1) {
      size /= 1000;
      unit++;
    }
    return `${unit === 0 ? whole.format(size) : scaled.format(size)} ${BYTE_UNITS[unit]}`;
  }

  return {
    count,
    bytes,
    rate: (bytesPerSecond: number): string => `${bytes(bytesPerSecond)}/s`,

    /** 118784 -> "119 thousand", 2_400_000 -> "2.4 million". */
    sizeInWords: (value: number): string => (value >= 9_999.5 ? inWords.format(value) : whole.format(value)),

    /** At most three figures: "812", "12.4k", "3.1M". For narrow cells. */
    short(value: number): string {
      if (value >= 999.5e6) return `${scaled.format(value / 1e9)}G`;
      if (value >= 999.5e3) return `${scaled.format(value / 1e6)}M`;
      if (value >= 999.5) return `${scaled.format(value / 1e3)}k`;
      return scaled.format(value);
    },

    /** Beside an axis. */
    tick: (value: number): string => compact.format(value),
    loss: (value: number | null | undefined): string => (value == null ? "–" : three.format(value)),
    /** A loss where there is less room, or less to tell. */
    nats: (value: number): string => two.format(value),
    share: (part: number, all: number): string => parts.format(all > 0 ? part / all : 0),

    /** Two figures: an estimate has no more. */
    energy: (kWh: number): string => (kWh < 1 ? `${rough.format(1_000 * kWh)} Wh` : `${rough.format(kWh)} kWh`),

    duration(ms: number): string {
      const seconds = ms / 1000;
      if (seconds < 1) return `${scaled.format(ms)} ms`;
      if (seconds < 10) return `${scaled.format(seconds)} s`;
      if (seconds < 90) return `${whole.format(seconds)} s`;
      if (seconds < 90 * 60) return `${whole.format(seconds / 60)} min`;
      return `${scaled.format(seconds / 3600)} h`;
    },

    /** A factor: "250", "2.4". */
    times: (value: number): string => scaled.format(value),

    timeOfDay: (time: number): string => clock.format(time),
    dateAndTime: (time: number): string => day.format(time),
  };
}

/** Reasons come from many places, some without capital and full stop; another sentence follows. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1) + (/[.!?…]$/.test(trimmed) ? "" : ".");
}

/** What tells two peers of one name apart: the key's first digits, and the slot when it is not the first. */
export const shortPeer = (peer: PeerId): string =>
  slotOf(peer) === 0 ? peer.slice(0, 6) : `${peer.slice(0, 6)}·${slotOf(peer)}`;

/** A stranger's name is text, and may be empty. */
export const nameOf = (peer: PeerId, name: string, nameless = "peer"): string =>
  name.trim() || `${nameless} ${shortPeer(peer)}`;

/** As the commands print numbers, whatever the system speaks. */
export const english = formats("en");
