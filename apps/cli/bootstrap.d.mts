// Types of bootstrap.mjs, for its tests: it is plain JavaScript so that any Node can read it.
interface LockEntry {
  readonly version?: string;
  readonly integrity?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly devOptional?: boolean;
  readonly peer?: boolean;
}
interface Lock {
  readonly packages: Readonly<Record<string, LockEntry>>;
}
export function nodeFault(version: string): string | undefined;
export function missingPackages(wanted: Lock, installed: Lock | undefined, full: boolean): string[];
export function sourceHash(folder: string, signal: string): string;
export function signalFault(signal: string): string | undefined;
export function flag(args: readonly string[], name: string): string | undefined;
export function needsFullInstall(command: string, args: readonly string[]): boolean;
