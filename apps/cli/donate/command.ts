// `gossamer donate URL`: a peer in Node, for machines without a screen. The same protocol core, engine and links as in a browser.
//
//   the run behind the address -> the donor's folder -> WebRTC, WebGPU -> Donation -> lines, and an exit code
import { readFile } from "node:fs/promises";
import { BatchPort, type RawPort, type ToWindow, type ToWorker } from "#mesh";
import { openLinkSide } from "#mesh/links";
import { DataError } from "#store/disk";
import { reasonByCode } from "#wire";
import { BUILD } from "../../host/build.ts";
import { defaultControls } from "../../web/controls/settings.ts";
import { openKey } from "../../web/identity/key-file.ts";
import { KeyFileError } from "../../web/identity/key-link.ts";
import { idleDonor } from "../../web/page-state.ts";
import type { BackendWish } from "../../web/views/places.ts";
import type { DonorSnapshot } from "../../web/window/types.ts";
import { english as format } from "../../web/words/format.ts";
import { Donation } from "../../web/worker/donation.ts";
import { stopped } from "../host-command.ts";
import { InstallError } from "../install.ts";
import { RemoteError } from "../remote.ts";
import { type DonorFolder, openDonorFolder } from "./donor-folder.ts";
import { events, farewell, nowLine, problemLines } from "./lines.ts";
import { nodeMachine } from "./node-machine.ts";
import { openGpu, openPlatform } from "./platform.ts";
import { findRun } from "./run-there.ts";

export interface DonateOptions {
  readonly url: string;
  /** Folder of key, slots and blobs. */
  readonly data: string;
  readonly slot?: number;
  readonly duty: number; //            percent of the time
  readonly dataCap?: number; //        GB a day
  readonly backend: "auto" | "webgpu" | "wasm";
  /** Part of the name of the GPU to take. */
  readonly adapter?: string;
  readonly name: string;
  /** A key that a browser has exported. */
  readonly identity?: string;
  readonly passphraseFile?: string;
  readonly relayOnly: boolean;
  readonly json: boolean;
}

/** What the process ends with. */
export const exitCodes = { done: 0, failed: 1, unreachable: 2, refused: 3, unfit: 4 } as const;

/** A log that nobody looks at needs no more; a terminal has a line that is always of now. */
const LINE_EVERY_MS = 30_000;
/** Of a terminal that does not tell. */
const TERMINAL_COLUMNS = 80;

/** @returns the exit code */
export async function donateCommand(options: DonateOptions): Promise<number> {
  const { json } = options;
  const say = (line: string): void => console.error(line);
  try {
    const { base, detail, invite } = await findRun(options.url);
    if (detail.state === "ended") {
      say(`The run "${detail.name}" at ${base} has ended: there is nothing left to train. Its model is on its page.`);
      return exitCodes.done;
    }
    const folder = await openDonorFolder(options.data, options.slot);
    try {
      const seed = await seedOf(options, folder);
      await openPlatform(say);
      if (options.backend !== "wasm") await tryGpu(options, say);
      say(`Donates to "${detail.name}" at ${base}. Ctrl-C stops it well.`);
      return await donate(
        options,
        { base, run: detail.id, invite },
        folder,
        seed,
        json ? jsonView() : terminalView(say),
      );
    } finally {
      await folder.close();
    }
  } catch (error) {
    if (error instanceof RemoteError) {
      say(error.message);
      return exitCodes.unreachable;
    }
    const known = error instanceof DataError || error instanceof InstallError || error instanceof IdentityError;
    if (known) say(error.message);
    else console.error(error);
    return exitCodes.failed;
  }
}

/** Without Dawn the processor trains, unless a GPU was asked for. */
async function tryGpu({ backend, adapter }: DonateOptions, say: (line: string) => void): Promise<void> {
  try {
    await openGpu(adapter, say);
  } catch (error) {
    if (backend === "webgpu")
      throw error instanceof InstallError ? error : new DataError(`Dawn does not start: ${error}`);
    say(`No WebGPU (${(error as Error).message}): the processor trains.`);
  }
}

/** An exported key that cannot be used; the message says why. */
class IdentityError extends Error {
  override readonly name = "IdentityError";
}

async function seedOf({ identity, passphraseFile }: DonateOptions, folder: DonorFolder): Promise<Uint8Array> {
  if (identity === undefined) return folder.identitySeed();
  const passphrase =
    passphraseFile === undefined
      ? process.env.GOSSAMER_PASSPHRASE
      : (await textOf(passphraseFile)).replace(/\r?\n$/, "");
  if (passphrase === undefined)
    throw new IdentityError(
      `${identity} is under a passphrase: name a file with it by --passphrase-file, or set GOSSAMER_PASSPHRASE.`,
    );
  try {
    return (await openKey(await textOf(identity), passphrase)).seed;
  } catch (error) {
    if (error instanceof KeyFileError) throw new IdentityError(`${identity}: ${error.message}.`);
    throw error;
  }
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new IdentityError(`${path} cannot be read: ${(error as Error).message}.`);
  }
}

interface View {
  show(before: DonorSnapshot, now: DonorSnapshot): void;
  end(last: DonorSnapshot): void;
}

async function donate(
  options: DonateOptions,
  { base, run, invite }: { base: string; run: string; invite: string | null },
  folder: DonorFolder,
  seed: Uint8Array,
  view: View,
): Promise<number> {
  const { port1, port2 } = new MessageChannel();
  const side = openLinkSide(
    () => performance.now(),
    (message) => toPeer.post(message),
  );
  const toPeer = new BatchPort<ToWorker, ToWindow>(port1 as RawPort, side.take);
  side.links.setRelayOnly(options.relayOnly);
  let fromLinks = (_message: ToWorker): void => {};
  const toLinks = new BatchPort<ToWindow, ToWorker>(port2 as RawPort, (message) => fromLinks(message));

  let last = idleDonor;
  let over!: (code: number) => void;
  const ended = new Promise<number>((resolve) => {
    over = resolve;
  });
  const shown = (snapshot: DonorSnapshot): void => {
    view.show(last, snapshot);
    last = snapshot;
    if (snapshot.status === "ended") over(exitCodes.done);
    if (snapshot.status === "blocked") over(blockedCode(snapshot));
  };
  const donation = await Donation.open(
    nodeMachine({ folder, seed, toLinks: (message) => toLinks.post(message) }),
    {
      hostBase: base,
      room: null,
      run,
      invite,
      backend: backendWish(options.backend),
      ...{ island: null, memoryBytes: null, testPlan: null },
      build: BUILD,
      preferredSlot: folder.slot,
      name: options.name,
      controls: {
        ...defaultControls,
        duty: options.duty / 100,
        dailyBytesMax: options.dataCap === undefined ? null : options.dataCap * 1e9,
        relayOnly: options.relayOnly,
      },
      observed: { battery: null, visible: true, idle: null, metered: null, phone: false, networkAllowed: true },
    },
    shown,
  );
  fromLinks = (message) => donation.fromLinks(message);
  donation.donate();
  const abort = new AbortController();
  const code = await Promise.race([ended, stopped(abort.signal).then(() => exitCodes.done)]);
  await donation.stop(reasonByCode.stopped);
  donation.close();
  side.links.closeAll(reasonByCode.stopped);
  port1.close();
  view.end(donation.snapshot);
  return code;
}

const backendWish = (backend: DonateOptions["backend"]): BackendWish => (backend === "auto" ? null : backend);

function blockedCode({ problem }: DonorSnapshot): number {
  switch (problem?.code) {
    case "refused":
      return exitCodes.refused;
    case "no-adapter":
    case "device-lost":
    case "out-of-memory":
    case "model-too-large":
    case "wrong-results":
      return exitCodes.unfit;
    default:
      return exitCodes.failed;
  }
}

/** Lines for what happens; below them, on a terminal, one that is always of now. */
function terminalView(say: (line: string) => void): View {
  const live = process.stderr.isTTY;
  let saidAt = performance.now();
  const clear = (): void => {
    if (live) process.stderr.write("\r\x1b[2K");
  };
  return {
    show(before, now) {
      const happened = events(before, now);
      if (happened.length > 0) clear();
      for (const line of happened) say(`${format.timeOfDay(Date.now())}  ${line}`);
      if (live) {
        clear();
        process.stderr.write(nowLine(now).slice(0, (process.stderr.columns || TERMINAL_COLUMNS) - 1));
      } else if (performance.now() - saidAt >= LINE_EVERY_MS) {
        saidAt = performance.now();
        say(`${format.timeOfDay(Date.now())}  ${nowLine(now)}`);
      }
    },
    end(last) {
      clear();
      if (last.problem !== null && last.status === "blocked") for (const line of problemLines(last.problem)) say(line);
      if (last.endReason !== null) say(`The run has ended: ${last.endReason}.`);
      say(farewell(last));
    },
  };
}

/** One JSON object a line for scripts: what happened, and every LINE_EVERY_MS how it stands. */
function jsonView(): View {
  let saidAt = Number.NEGATIVE_INFINITY;
  const line = (
    type: string,
    { status, round, step, steps, tokensPerSecond, rounds, tokensOffered, ...now }: DonorSnapshot,
  ) => {
    const { peer, bytesSent, bytesReceived, bytesFromHost, bytesToHost, links, lossHistory, problem } = now;
    const loss = lossHistory.at(-1)?.loss ?? null;
    const state = {
      status,
      peer,
      round,
      step,
      steps,
      tokensPerSecond,
      loss,
      rounds,
      tokensOffered,
      links: links.length,
    };
    console.log(
      JSON.stringify({
        type,
        ...state,
        ...{ bytesSent, bytesReceived, bytesFromHost, bytesToHost },
        ...(problem === null ? {} : { problem: { code: problem.code, message: problem.message } }),
      }),
    );
  };
  return {
    show(before, now) {
      const moved = now.status !== before.status || now.rounds !== before.rounds;
      if (!moved && performance.now() - saidAt < LINE_EVERY_MS) return;
      saidAt = performance.now();
      line("state", now);
    },
    end: (last) => line("end", last),
  };
}
