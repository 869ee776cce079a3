// How an entry is checked before it is believed: its place, its predecessor's hash, and the host's signature. [R16]
import { entryHash, entryIsSigned, type LogEntry, type RunSpec } from "#wire";

/** Another implementation of the same checks: native on the host, without signatures in a simulation. */
export interface EntryCheck {
  hashOf(entry: LogEntry): string;
  isSigned(entry: LogEntry): boolean;
}

export const checkOf = ({ hostKey }: RunSpec): EntryCheck => ({
  hashOf: entryHash,
  isSigned: (entry) => entryIsSigned(hostKey, entry),
});

/** Why `entry` may not follow. signed: check the signature too, not only the hash. */
export function followFault(
  { hashOf, isSigned }: EntryCheck,
  run: string,
  previous: LogEntry | undefined,
  entry: LogEntry,
  signed: boolean,
): string | undefined {
  if (entry.seq !== (previous ? previous.seq + 1 : 0)) return `entry ${entry.seq} is out of place`;
  if (entry.prevHash !== (previous ? hashOf(previous) : run))
    return `entry ${entry.seq} does not name its predecessor's hash`;
  if (signed && !isSigned(entry)) return `entry ${entry.seq} is not signed by the host's key`;
  return undefined;
}
